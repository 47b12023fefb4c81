"""The look keeps its promises: contrast, icons that exist, templates without inline code."""

import re
from pathlib import Path

import pytest
from jinja2 import Environment, FileSystemLoader

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
CSS = (ROOT / "static" / "portal.css").read_text()
TOKENS = {
    name: (light, dark)
    for name, light, dark in re.findall(r"--([\w-]+): light-dark\((#[0-9A-F]{6}), (#[0-9A-F]{6})\);", CSS)
}
SURFACES = ("bg", "sheet", "sunken", "hover", "sel", "mute-bg", "bad-row")
#: Text or mark, the backgrounds it stands on, the least ratio to one digit. WCAG 2.2 asks 4.5 of text, 3 of marks.
PAIRS = [
    ("ink", SURFACES, 11.8),
    ("ink2", SURFACES, 6.8),
    ("ink3", SURFACES, 4.8),
    ("link", SURFACES, 6.3),
    ("on-action", ("action", "action-hover"), 5.8),
    ("on-bad", ("bad",), 6.0),
    ("focus", SURFACES, 4.7),
    ("field", ("sheet",), 3.2),
    ("ok", (*SURFACES, "ok-bg"), 4.6),
    ("info", (*SURFACES, "info-bg"), 5.6),
    ("warn", (*SURFACES, "warn-bg"), 5.5),
    ("bad", (*SURFACES, "bad-bg"), 5.4),
    *((text, (f"{kind}-bg",), 4.5) for kind in ("ok", "info", "warn", "bad") for text in ("ink", "ink2")),
    ("warn-mark", SURFACES, 3.2),
    ("series-1", ("sheet",), 3.0),
    ("series-2", ("sheet",), 3.0),
    ("series-3", ("sheet",), 3.0),
]


def luminance_of(colour: str) -> float:
    """Return the relative luminance of `#RRGGBB`, https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast_of(first: str, second: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21."""
    dark, light = sorted((luminance_of(first), luminance_of(second)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(("text", "surfaces", "least"), PAIRS)
@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_and_marks_stand_out_on_every_surface(
    text: str, surfaces: tuple[str, ...], least: float, theme: int
) -> None:
    ratios = {surface: round(contrast_of(TOKENS[text][theme], TOKENS[surface][theme]), 1) for surface in surfaces}
    assert {surface: ratio for surface, ratio in ratios.items() if ratio < least} == {}


def test_every_colour_that_is_used_is_a_token() -> None:
    used = set(re.findall(r"var\(--([\w-]+)", CSS))
    declared = set(re.findall(r"--([\w-]+):", CSS))
    assert used - declared == set()


def test_layers_settle_precedence_without_important() -> None:
    assert "!important" not in re.sub(r"/\*.*?\*/", "", CSS)
    assert "@layer base, layout, parts, util;" in CSS


def test_every_font_and_script_that_is_named_is_there() -> None:
    named = re.findall(r"url\(([^)]+)\)", CSS)
    head = (ROOT / "templates" / "layout" / "head.html").read_text()
    named += re.findall(r'asset\("([^"]+)"\)', head) + re.findall(r'filename="([^"]+)"', head)
    assert [name for name in named if not (ROOT / "static" / name).is_file()] == []


def test_there_is_one_sprite_with_every_icon_that_templates_name() -> None:
    (sprite,) = (ROOT / "static").glob("icons-*.svg")
    names = set(re.findall(r'<symbol id="([^"]+)"', sprite.read_text()))
    listed = {line.split()[0] for line in (ROOT / "static" / "icons.txt").read_text().splitlines()}
    assert names == listed
    wanted = {
        name
        for path in TEMPLATES
        for name in re.findall(r'(?:\bdraw\(|\bicon\(|\bicon=)"([a-z0-9-]+)"', path.read_text())
    }
    assert wanted - names == set()


def test_badges_name_icons_that_exist() -> None:
    listed = {line.split()[0] for line in (ROOT / "static" / "icons.txt").read_text().splitlines()}
    badges = (ROOT / "templates" / "components" / "badge.html").read_text()
    named = set(re.findall(r'\("[^"()]+", "([a-z0-9-]+)"\)', badges))
    named |= set(re.findall(r'\("[^"()]+", "[^"()]+", "([a-z0-9-]+)"\)', badges))
    assert named
    assert named - listed == set()


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_a_template_compiles_and_has_no_inline_code(path: Path) -> None:
    source = re.sub(r"\{#.*?#\}", "", path.read_text(), flags=re.DOTALL)
    Environment(loader=FileSystemLoader(ROOT / "templates")).parse(source)
    assert re.findall(r"\s(?:style|on[a-z]+|hx-on[\w:-]*)\s*=\s*[\"']", source) == []
    assert re.findall(r"<script(?![^>]*\ssrc=)|<style|javascript:", source) == []
    assert re.findall(r"hx-trigger=\"[^\"]*\[(?!type=)", source) == []
    assert re.findall(r"[\w\]]\s*\|\s*safe\b", source) == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_a_template_is_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 80
