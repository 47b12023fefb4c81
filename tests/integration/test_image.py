"""The image's steps, in an empty environment: the wheel holds all it needs and runs without the repository."""

import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import Server

ROOT = Path(__file__).parents[2]


class InstalledPortal(Server):
    """The web process of an installed portal, started from its own empty folder."""

    def __init__(self, folder: Path, program: Path) -> None:
        super().__init__(folder)
        self._program = program

    def command(self) -> list[str]:
        return [str(self._program), "serve", "--bind", f"127.0.0.1:{self.port}"]

    def environment(self) -> dict[str, str]:
        return clean_environment() | {"PORTAL_DATA_DIR": str(self.folder / "data")}

    def answers(self) -> bool:
        return super().answers() and self.get("/healthz") == 200

    def get(self, path: str) -> int:
        """Return the status of a page."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                status: int = answer.status
                return status
        except urllib.error.HTTPError as error:
            return error.code


def clean_environment() -> dict[str, str]:
    """Return our environment without anything that would lead Python back to the repository."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PORTAL_", "VIRTUAL"))}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that scripts/image.sh fills, as the Dockerfile does."""
    target = tmp_path_factory.mktemp("image") / "portal"
    script = [str(ROOT / "scripts" / "image.sh"), str(target)]
    environment = clean_environment() | {"PYTHON": sys.executable}
    result = subprocess.run(script, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert result.returncode == 0, result.stderr
    return target


@pytest.fixture(scope="module")
def portal(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InstalledPortal]:
    with InstalledPortal(tmp_path_factory.mktemp("installed"), image / "bin" / "portal") as server:
        yield server


def run(image: Path, program: str, *arguments: str, **settings: str) -> str:
    """Run a program of the image away from the repository and return what it printed."""
    command = [str(image / "bin" / program), *arguments]
    result = subprocess.run(
        command, env=clean_environment() | settings, cwd=image, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.timeout(300)
def test_the_command_line_is_installed(image: Path) -> None:
    assert "serve" in run(image, "portal", "--help")


def test_the_repository_is_not_on_its_path(image: Path) -> None:
    folder = run(image, "python", "-c", "import portal; print(portal.__file__)")
    assert Path(folder.strip()).is_relative_to(image)


def test_it_holds_every_template_static_file_and_revision(image: Path) -> None:
    installed = image / "lib" / "python3.11" / "site-packages" / "portal"
    for inside, outside in (("templates", "templates"), ("static", "static"), ("revisions", "portal/revisions")):
        here = {
            path.relative_to(ROOT / outside) for path in (ROOT / outside).rglob("*") if "__pycache__" not in path.parts
        }
        there = {path.relative_to(installed / inside) for path in (installed / inside).rglob("*")}
        assert here, f"{outside} is empty"
        assert here - there == set()


def test_it_holds_no_test_or_build_tool(image: Path) -> None:
    installed = run(image, "pip", "list", "--format", "freeze").lower()
    assert "storage-portal==" in installed
    assert [name for name in ("pytest", "rclone", "playwright", "hatchling") if name in installed] == []


@pytest.mark.timeout(300)
def test_it_serves_pages_and_assets(portal: InstalledPortal) -> None:
    assert portal.get("/healthz") == 200
    assert portal.get("/readyz") == 200
    assert portal.get("/sign-in") == 200
    assert portal.get("/static/portal.css") == 200


def test_any_wsgi_server_finds_the_app(image: Path, tmp_path: Path) -> None:
    run(image, "gunicorn", "--check-config", "wsgi:app", PORTAL_DATA_DIR=str(tmp_path))


def test_the_dockerfile_takes_these_steps_and_checks_the_same_page_without_root() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert "RUN scripts/image.sh /opt/portal" in lines
    assert "USER portal" in lines
    assert any("http://127.0.0.1:8000/healthz" in line for line in lines)


def test_the_wheel_brings_the_portal_and_wsgi_and_nothing_else(image: Path) -> None:
    (record,) = (image / "lib" / "python3.11" / "site-packages").glob("storage_portal-*.dist-info/RECORD")
    names = {line.partition(",")[0].partition("/")[0] for line in record.read_text().splitlines()}
    assert names - {record.parent.name, "..", "__pycache__"} == {"portal", "wsgi.py"}
