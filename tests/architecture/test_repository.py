"""What must never get into the repository: addresses of package indexes, paths of one machine, secrets, silent noqa."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Hyphens and slashes are put together here so that this file does not match itself.
INDEX = re.compile(
    r"(?:extra-)?index" + r"-url|pypi\.org/" + r"simple|files\.pythonhosted" + r"\.org|registry\.npm" + r"js"
)
SECRETS = {
    "a private key": re.compile("-----BEGIN [A-Z ]*PRIVATE" + " KEY-----"),
    # AWS's own documentation and our tests say EXAMPLE.
    "an AWS access key": re.compile(r"\b(?:AKIA|ASIA)(?![A-Z0-9]*EXAMPLE)[A-Z0-9]{16}\b"),
    "a GitHub token": re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36}\b"),
    "a Google key": re.compile(r"\bAIza[A-Za-z0-9_-]{35}\b"),
    "a Slack token": re.compile(r"\bxox[abpr]-[A-Za-z0-9-]{20,}"),
}
BARE_SILENCE = re.compile(r"#\s*(?:noqa|type:\s*ignore|pragma:\s*no cover)\s*$", re.MULTILINE)
LOCKED = re.compile(r"^(?:[a-z0-9-]+==\S+(?: ; [^\\\n]+)? \\|    --hash=sha256:[0-9a-f]{64}(?: \\)?)$")


def tracked_files() -> list[Path]:
    """Return every file git knows or would add, so that a fault shows before the commit."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [path for name in listing.stdout.split("\0") if name and (path := ROOT / name).is_file()]


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """Every tracked text file by its name; pictures and fonts are left out."""
    found = {}
    for path in tracked_files():
        data = path.read_bytes()
        if b"\0" not in data[:8000]:
            found[str(path.relative_to(ROOT))] = data.decode(errors="replace")
    return found


def test_it_reads_this_very_file(texts: dict[str, str]) -> None:
    assert "tests/architecture/test_repository.py" in texts


def test_no_file_names_a_package_index(texts: dict[str, str]) -> None:
    assert [name for name, text in texts.items() if INDEX.search(text)] == []


@pytest.mark.parametrize("kind", SECRETS)
def test_no_file_holds_a_secret(kind: str, texts: dict[str, str]) -> None:
    assert [name for name, text in texts.items() if SECRETS[kind].search(text)] == []


def test_no_check_is_silenced_without_code_and_reason(texts: dict[str, str]) -> None:
    python = {name: text for name, text in texts.items() if name.endswith(".py")}
    assert [name for name, text in python.items() if BARE_SILENCE.search(text)] == []


@pytest.mark.parametrize("lock", ["run", "build", "dev", "clients"])
def test_a_lock_holds_names_versions_and_hashes_only(lock: str, texts: dict[str, str]) -> None:
    lines = texts[f"requirements/{lock}.lock"].splitlines()
    assert lines
    assert [line for line in lines if not LOCKED.match(line)] == []


def test_the_test_tools_run_beside_exactly_what_the_portal_runs_on(texts: dict[str, str]) -> None:
    def pins(lock: str) -> set[str]:
        return set(re.findall(r"^[a-z0-9-]+==[^ ]+", texts[f"requirements/{lock}.lock"], re.MULTILINE))

    assert pins("run") | pins("build") <= pins("dev")


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("pip install --extra-" + "index-" + "url x", INDEX),
        ("-----BEGIN RSA PRIVATE" + " KEY-----", SECRETS["a private key"]),
        ("key = AKIA" + "Q" * 16, SECRETS["an AWS access key"]),
        ("import x  # noqa" + "\n", BARE_SILENCE),
        ("x = y()  # type: " + "ignore", BARE_SILENCE),
    ],
)
def test_each_pattern_finds_what_it_is_for(text: str, pattern: re.Pattern[str]) -> None:
    assert pattern.search(text)


def test_example_keys_are_no_secrets() -> None:
    assert not SECRETS["an AWS access key"].search("AKIAIOSFODNN7EXAMPLE AKIAEXAMPLEEXAMPLE00")
