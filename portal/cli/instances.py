"""`portal instance …`."""

import click

from portal.cli.context import Context
from portal.cli.main import cli, json_option, pass_context, print_result, print_rows, role_argument
from portal.services import attachments, instances
from portal.values import Role


@cli.group()
def instance() -> None:
    """LaminDB instances."""


@instance.command("add")
@click.argument("name", metavar="[OWNER/]NAME")
@click.option("--description", default="", help="What the instance is for.")
@click.option("--owner", metavar="HANDLE", help="Owning person or organisation; default: you.")
@json_option
@pass_context
def add(context: Context, name: str, description: str, owner: str | None, as_json: bool) -> None:
    """Make an instance; you become its admin. Its ids are those LaminDB derives from OWNER/NAME."""
    before, _, last = name.rpartition("/")
    with context.writing() as work:
        made = instances.create_instance(work, instances.NewInstance(last, description, owner or before or None))
        result = {"uid": made.uid, "uuid": made.uuid, "name": made.slug, "description": made.description}
    print_result(result, as_json, f"Made the instance {result['name']}, uid {result['uid']}.")


@instance.command("list")
@json_option
@pass_context
def list_(context: Context, as_json: bool) -> None:
    """List the instances in your reach."""
    with context.reading() as work:
        rows = [
            {
                "uid": row.uid,
                "name": row.slug,
                "role": row.role,
                "collaborators": row.collaborator_count,
                "storage_locations": row.storage_count,
                "default": row.default_root,
                "description": row.description,
            }
            for row in instances.list_instances(work)
        ]
    print_rows(rows, as_json)


@instance.command("grant")
@click.argument("instance", metavar="OWNER/NAME")
@click.argument("handle")
@role_argument
@json_option
@pass_context
def grant(context: Context, instance: str, handle: str, role: str, as_json: bool) -> None:
    """Give HANDLE the role read, write or admin on an instance."""
    with context.writing() as work:
        instances.grant_instance_role(work, instance, handle, Role(role))
    result = {"instance": instance, "handle": handle, "role": role}
    print_result(result, as_json, f"{handle} has the role {role} on {instance} now.")


@instance.command("revoke")
@click.argument("instance", metavar="OWNER/NAME")
@click.argument("handle")
@json_option
@pass_context
def revoke(context: Context, instance: str, handle: str, as_json: bool) -> None:
    """Take HANDLE's role on an instance."""
    with context.writing() as work:
        instances.revoke_instance_role(work, instance, handle)
    result = {"instance": instance, "handle": handle, "role": None}
    print_result(result, as_json, f"{handle} is no collaborator of {instance} any more.")


@instance.command("attach-space")
@click.argument("instance", metavar="OWNER/NAME")
@click.argument("space")
@json_option
@pass_context
def attach_space(context: Context, instance: str, space: str, as_json: bool) -> None:
    """Attach SPACE to an instance, so that its storage locations may be placed there."""
    with context.writing() as work:
        attachments.attach_space(work, instance, space)
    print_result({"instance": instance, "space": space}, as_json, f"{space} is attached to {instance}.")
