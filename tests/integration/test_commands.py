"""The command line: names that stay, exit codes, where what is printed, and the permissions of every face."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from flask import Flask
from sqlalchemy import select

from portal.cli.main import cli
from portal.models import Account, Space
from tests.integration.command_line import CommandLine
from tests.integration.world import PASSWORD, Portal, World

#: People script against these.
VERBS = {
    "account": {"add"},
    "db": {"upgrade"},
    "instance": {"add", "list", "grant", "revoke"},
    "migration": {
        "plan", "start", "show", "list", "cancel", "cut-over", "rollback", "pause", "resume", "check", "limit",
        "schedule", "errors", "retry",
    },
    "space": {"add", "list", "grant", "revoke"},
    "storage": {"list", "show", "connect-s3", "register", "edit", "check", "delete"},
}  # fmt: skip

OPTIONS = {
    "serve": {"--bind"},
    "runner": {"--host"},
    "account add": {"--email", "--admin"},
    "storage connect-s3": {
        "--endpoint-url", "--region", "--access-key", "--space", "--instance", "--description", "--read-only",
        "--dry-run",
    },
    "storage delete": {"--confirm"},
    "migration start": {"--wait", "--cut-over"},
    "migration rollback": {"--wait"},
}  # fmt: skip


@pytest.fixture
def typing(portal: Portal, world: World) -> CommandLine:
    return CommandLine(portal)


def commands() -> Iterator[tuple[str, click.Command]]:
    for name, found in cli.commands.items():
        if isinstance(found, click.Group):
            yield from ((f"{name} {verb}", command) for verb, command in found.commands.items())
        else:
            yield name, found


def options_of(command: click.Command) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts if option.startswith("-")}


def test_the_names_that_people_script_against_stay() -> None:
    found = dict(commands())
    wanted = {f"{noun} {verb}" for noun, verbs in VERBS.items() for verb in verbs} | {"serve", "runner", "up"}
    assert wanted - set(found) == set()
    for name, options in OPTIONS.items():
        assert options - options_of(found[name]) == set(), name


def test_each_verb_prints_json_when_asked() -> None:
    assert [name for name, command in commands() if " " in name and "--json" not in options_of(command)] == []


def test_no_command_takes_a_secret_where_other_processes_could_read_it() -> None:
    words = ("secret", "password")
    names = {name: [str(part.name) for part in command.params] for name, command in commands()}
    assert {name for name, parts in names.items() if any(word in part for part in parts for word in words)} == set()


def test_the_first_account_needs_nobody_and_the_second_one_somebody(app: Flask) -> None:
    typing = CommandLine(Portal(app))
    made = typing.record("account", "add", "Ada", "--email", "ada@example.org", actor=None)
    assert (made["handle"], made["email"], made["is_portal_admin"]) == ("ada", "ada@example.org", True)
    refused = typing.run("account", "add", "erik", "--email", "erik@example.org", "--json", actor=None)
    assert (refused.code, refused.out) == (1, "")
    assert "--as HANDLE" in refused.err
    assert typing.record("account", "add", "erik", "--email", "erik@example.org")["is_portal_admin"] is False
    admin = typing.record("account", "add", "anna", "--email", "anna@example.org", "--admin")
    assert admin["is_portal_admin"] is True
    assert typing.run("account", "add", "otto", "--email", "otto@example.org", actor="erik").code == 1
    with typing.portal.read_as("ada") as work:
        assert set(work.session.scalars(select(Account.handle))) == {"ada", "erik", "anna"}


def test_a_password_is_asked_for_twice_and_never_printed(app: Flask) -> None:
    typing = CommandLine(Portal(app))
    words = ("account", "add", "ada", "--email", "ada@example.org", "--json")
    other = typing.run(*words, actor=None, typed=f"{PASSWORD}\nanother\n", PORTAL_PASSWORD="")
    assert other.code == 1
    ran = typing.run(*words, actor=None, typed=f"{PASSWORD}\n{PASSWORD}\n", PORTAL_PASSWORD="")
    assert ran.code == 0
    assert PASSWORD not in ran.out + ran.err
    browser = typing.portal.client_as(None)
    assert browser.post("/sign-in", data={"handle": "ada", "password": PASSWORD}).status_code == 303


def test_a_handle_that_cannot_be_is_refused_before_a_password_is_asked_for(typing: CommandLine) -> None:
    ran = typing.run("account", "add", "no spaces", "--email", "no@example.org", typed="", PORTAL_PASSWORD="")
    assert ran.code == 1
    assert "Password" not in ran.out + ran.err


def test_spaces_are_made_listed_granted_and_revoked(typing: CommandLine) -> None:
    made = typing.record("space", "add", "trials", "--description", "Phase one", "--owner", "lab")
    assert (made["name"], made["description"], len(made["uid"])) == ("trials", "Phase one", 12)
    assert typing.record("space", "grant", "lab/trials", "otto", "write")["role"] == "write"
    seen = {row["name"]: row["role"] for row in typing.record("space", "list", actor="otto")}
    assert seen == {"all": None, "lab/trials": "write"}
    assert typing.record("space", "revoke", "lab/trials", "otto")["role"] is None
    assert [row["name"] for row in typing.record("space", "list", actor="otto")] == ["all"]
    assert typing.run("space", "revoke", "lab/trials", "ada").code == 1


def test_instances_are_made_listed_granted_and_revoked(typing: CommandLine) -> None:
    made = typing.record("instance", "add", "lab/screens")
    assert (made["name"], len(made["uid"])) == ("lab/screens", 12)
    assert typing.record("instance", "grant", "lab/screens", "otto", "read")["role"] == "read"
    assert [row["name"] for row in typing.record("instance", "list", actor="otto")] == ["lab/screens"]
    assert typing.record("instance", "attach-space", "lab/screens", "lab/imaging")["space"] == "lab/imaging"
    assert typing.record("instance", "revoke", "lab/screens", "otto")["role"] is None
    assert typing.record("instance", "list", actor="otto") == []


#: Each is for admins or owners alone.
ADMINISTRATION = (
    ("space", "add", "mine", "--owner", "lab"),
    ("space", "grant", "lab/imaging", "otto", "admin"),
    ("space", "revoke", "lab/imaging", "erik"),
    ("instance", "add", "lab/mine"),
    ("instance", "grant", "lab/atlas", "rita", "admin"),
    ("instance", "revoke", "lab/atlas", "erik"),
    ("instance", "attach-space", "lab/atlas", "lab/imaging"),
    ("account", "add", "newcomer", "--email", "newcomer@example.org"),
)


@pytest.mark.parametrize("actor", ["rita", "erik", "otto"])
def test_who_may_not_is_refused_on_the_command_line_too(typing: CommandLine, actor: str) -> None:
    def everything() -> list[object]:
        return [*typing.record("space", "list"), *typing.record("instance", "list")]

    before = everything()
    for words in ADMINISTRATION:
        ran = typing.run(*words, "--json", actor=actor)
        assert (ran.code, ran.out, ran.err[:8]) == (1, "", "portal: "), words
    assert everything() == before


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("nothing",), "No such command 'nothing'"),
        (("space", "nothing"), "No such command 'nothing'"),
        (("space", "add"), "Missing argument 'NAME'"),
        (("space", "add", "a", "b"), "unexpected extra argument"),
        (("space", "add", "a", "--colour", "red"), "No such option"),
        (("space", "grant", "lab/imaging", "otto", "king"), "'king' is not one of"),
        (("account", "add", "otto"), "Missing option '--email'"),
        (("storage", "edit", "x", "--branch", "moon"), "'moon' is not one of"),
        (("storage", "connect-s3", "s3://bucket"), "--access-key"),
        (("storage", "connect-s3", "s3://bucket", "--anonymous", "--ambient"), "Give one of"),
        (("migration", "plan", "x"), "Missing argument 'TARGET'"),
        (("migration", "start", "x", "--at", "soon"), "no date and time"),
        (("migration", "limit", "x", "--bandwidth", "fast"), "50MiB/s"),
        (("migration", "limit", "x", "--errors", "few"), "--errors: few is no whole number"),
        (("migration", "schedule", "x"), "--at and --between, or --none"),
        (("migration", "schedule", "x", "--between", "20-6"), "20:00-06:00"),
        (("migration", "retry", "x", "--object", "a", "--kind", "conflict"), "not two of them"),
        (("serve", "--bind", "nowhere"), "write ADDRESS:PORT"),
        (("runner", "--host", "a/b"), "a host name has"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, tuple) else "",
)
def test_bad_usage_ends_with_2_and_says_how(typing: CommandLine, words: tuple[str, ...], reason: str) -> None:
    ran = typing.run(*words)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("Usage: portal")
    assert reason in ran.err


@pytest.mark.parametrize(
    ("actor", "reason"), [("nobody", "There is no account nobody."), (None, "Give --as HANDLE or set PORTAL_ACCOUNT.")]
)
def test_an_account_that_is_not_there_ends_with_1(typing: CommandLine, actor: str | None, reason: str) -> None:
    ran = typing.run("space", "list", "--json", actor=actor)
    assert (ran.code, ran.out) == (1, "")
    assert reason in ran.err


def test_a_closed_account_does_nothing_any_more(typing: CommandLine) -> None:
    with typing.portal.write_as("ada") as work:
        work.session.scalars(select(Account).where(Account.handle == "erik")).one().is_active = False
    ran = typing.run("space", "list", actor="erik")
    assert (ran.code, "is closed" in ran.err) == (1, True)


def test_the_account_may_stand_in_the_environment(typing: CommandLine) -> None:
    made = typing.record("space", "add", "mine", actor=None, PORTAL_ACCOUNT="rita")
    with typing.portal.read_as("ada") as work:
        space = work.session.scalars(select(Space).where(Space.uid == made["uid"])).one()
        assert space.created_by_id == work.session.scalar(select(Account.id).where(Account.handle == "rita"))


def test_what_was_typed_is_an_event_of_the_command_line(typing: CommandLine) -> None:
    typing.record("space", "add", "mine", actor="rita")
    row = typing.portal.client_as("ada").get("/events.json").get_json()[0]
    assert (row["action"], row["actor"], row["via"]) == ("space.created", "rita", "cli")
    assert "@" in row["address"]


def test_help_needs_neither_settings_nor_database(tmp_path: Path) -> None:
    def never(*_given: object) -> None:
        raise AssertionError("asked for")

    from click.testing import CliRunner

    from portal.cli.context import Context

    context = Context(never, never)  # type: ignore[arg-type]  # neither is called
    for words in (["--help"], ["storage", "--help"], ["storage", "connect-s3", "--help"]):
        ran = CliRunner().invoke(cli, words, obj=context, prog_name="portal")
        assert (ran.exit_code, ran.stdout.startswith("Usage: portal")) == (0, True)


def test_people_get_tables_and_sentences(typing: CommandLine) -> None:
    assert typing.run("space", "list").out.splitlines()[0].split()[:3] == ["uid", "name", "role"]
    assert typing.run("storage", "list").out == "None.\n"
    assert typing.run("space", "add", "mine").out.startswith("Made the space mine, uid ")
    assert typing.run("db", "upgrade").out.startswith("The schema is at the newest revision")
    assert typing.record("db", "upgrade")["revision"]
