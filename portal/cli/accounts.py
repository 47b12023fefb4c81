"""`portal account …`."""

import os
from dataclasses import replace

import click

from portal.cli.context import Context
from portal.cli.main import cli, json_option, pass_context, print_result
from portal.services import accounts


@cli.group()
def account() -> None:
    """People who may sign in."""


@account.command("add")
@click.argument("handle")
@click.option("--email", required=True, help="E-mail address; it may be used to sign in.")
@click.option("--name", default="", help="Name in full.")
@click.option("--admin", is_flag=True, help="Make a portal admin. The first account is one in any case.")
@json_option
@pass_context
def add(context: Context, handle: str, email: str, name: str, admin: bool, as_json: bool) -> None:
    """Add a person, with a password from PORTAL_PASSWORD or a prompt.

    The first account of an empty portal needs no --as.
    """
    new = accounts.NewAccount(handle.strip().lower(), email.strip(), name.strip(), None, is_portal_admin=admin)
    new.check()  # before somebody types a password for nothing
    password = os.environ.get("PORTAL_PASSWORD") or click.prompt("Password", hide_input=True, confirmation_prompt=True)
    prepared = accounts.prepare_account(replace(new, password=password))
    with context.writing() if context.handle else context.writing_as_nobody() as work:
        described = accounts.describe(accounts.add_account(work, prepared))
    role = " as portal admin" if described["is_portal_admin"] else ""
    print_result(described, as_json, f"Added {described['handle']}{role}.")
