"""The command line as tests type it: click's runner on the real commands, with the test's own app."""

import json
from dataclasses import dataclass
from typing import Any

from click.testing import CliRunner

from portal.cli.context import Context
from portal.cli.main import cli
from tests.integration.world import PASSWORD, Portal


@dataclass(frozen=True)
class Ran:
    """How a command ended and what it printed where."""

    code: int
    out: str
    err: str

    @property
    def record(self) -> Any:
        """Return the one JSON document on stdout; anything beside it is a fault."""
        return json.loads(self.out)


@dataclass(frozen=True)
class CommandLine:
    """`portal …`, typed as somebody."""

    portal: Portal

    def run(self, *words: str, actor: str | None = "ada", typed: str | None = None, **environment: str) -> Ran:
        """Run a command. `typed` is what is typed at its prompts; None: there is nobody to ask."""
        settings = self.portal.app.extensions["portal_settings"]
        context = Context(lambda _settings: self.portal.app, lambda: settings)
        named = ["--as", actor] if actor else []
        done = CliRunner(env={"PORTAL_PASSWORD": PASSWORD, **environment}).invoke(
            cli, [*named, *words], obj=context, prog_name="portal", input=typed
        )
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Ran(done.exit_code, done.stdout, done.stderr)

    def record(self, *words: str, actor: str | None = "ada", **environment: str) -> Any:
        """Run a command with `--json` that has to work, and return what it printed."""
        ran = self.run(*words, "--json", actor=actor, **environment)
        assert ran.code == 0, f"portal {' '.join(words)}: {ran.err}"
        return ran.record
