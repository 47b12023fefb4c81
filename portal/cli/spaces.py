"""`portal space …`."""

import click

from portal.cli.context import Context
from portal.cli.main import cli, json_option, pass_context, print_result, print_rows, role_argument
from portal.services import spaces
from portal.values import Role


@cli.group()
def space() -> None:
    """Access boundaries of storage locations."""


@space.command("add")
@click.argument("name")
@click.option("--description", default="", help="What the data in it is.")
@click.option("--owner", metavar="HANDLE", help="Owning person or organisation; default: you.")
@json_option
@pass_context
def add(context: Context, name: str, description: str, owner: str | None, as_json: bool) -> None:
    """Make a space; you become its admin."""
    with context.writing() as work:
        made = spaces.create_space(work, spaces.NewSpace(name, description, owner))
        result = {"uid": made.uid, "uuid": made.uuid, "name": made.name, "description": made.description}
    print_result(result, as_json, f"Made the space {result['name']}, uid {result['uid']}.")


@space.command("list")
@json_option
@pass_context
def list_(context: Context, as_json: bool) -> None:
    """List the spaces in your reach."""
    with context.reading() as work:
        rows = [
            {
                "uid": row.uid,
                "name": row.label,
                "role": row.role,
                "members": row.member_count,
                "storage_locations": row.storage_count,
                "description": row.description,
            }
            for row in spaces.list_spaces(work)
        ]
    print_rows(rows, as_json)


@space.command("grant")
@click.argument("space")
@click.argument("handle")
@role_argument
@json_option
@pass_context
def grant(context: Context, space: str, handle: str, role: str, as_json: bool) -> None:
    """Give HANDLE the role read, write or admin in SPACE (name, OWNER/NAME or uid)."""
    with context.writing() as work:
        spaces.grant_space_role(work, space, handle, Role(role))
    result = {"space": space, "handle": handle, "role": role}
    print_result(result, as_json, f"{handle} has the role {role} in {space} now.")


@space.command("revoke")
@click.argument("space")
@click.argument("handle")
@json_option
@pass_context
def revoke(context: Context, space: str, handle: str, as_json: bool) -> None:
    """Take HANDLE's role in SPACE."""
    with context.writing() as work:
        spaces.revoke_space_role(work, space, handle)
    result = {"space": space, "handle": handle, "role": None}
    print_result(result, as_json, f"{handle} is no member of {space} any more.")
