"""A setting that the README does not name does not exist for the people who need it."""

import re
from pathlib import Path

import pytest

from portal.config import SETTINGS, Setting

ROOT = Path(__file__).parents[2]
NAME = re.compile(r"\bPORTAL_[A-Z][A-Z_]*[A-Z]\b")
QUOTED = re.compile(r"""["'](PORTAL_[A-Z_]+)["']""")


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_the_readme_says_what_each_setting_is_for(setting: Setting) -> None:
    lines = [line for line in (ROOT / "README.md").read_text().splitlines() if f"`{setting.name}`" in line]
    assert lines, f"{setting.name} is not in README.md"
    assert any(setting.default in line and setting.sentence in line for line in lines), (
        f"README.md has another default or sentence for {setting.name} than portal/config.py"
    )


def test_the_readme_names_no_setting_that_is_not_there() -> None:
    known = {setting.name for setting in SETTINGS}
    assert set(NAME.findall((ROOT / "README.md").read_text())) - known == set()


def test_the_portal_reads_no_setting_it_does_not_declare() -> None:
    known = {setting.name for setting in SETTINGS}
    found = {name for path in (ROOT / "portal").rglob("*.py") for name in QUOTED.findall(path.read_text())}
    assert found - known == set()
