"""`portal storage artifacts`."""

from dataclasses import asdict
from itertools import islice
from typing import Any

import click

from portal.cli.context import Context
from portal.cli.main import json_option, pass_context, print_rows
from portal.cli.storages import storage
from portal.lamindb.registry.artifact_queries import SORTS, ArtifactQuery
from portal.services.artifacts import iterate_artifacts

_COLUMNS = ("uid", "key", "size_bytes", "hash_type", "version_tag", "is_latest", "branch", "updated_at")

_ORDERS = [sign + name for name in SORTS for sign in ("", "-")]


@storage.command("artifacts")
@click.argument("storage", metavar="UID_OR_ROOT")
@click.option("--search", default="", help="Words in key or description, or how key, uid or hash begin.")
@click.option("--sort", type=click.Choice(_ORDERS), default="key", help="A minus in front: falling.")
@click.option("--instance", default="", metavar="OWNER/NAME", help="Whose artifacts; default: the writing instance's.")
@click.option("--latest", is_flag=True, help="Latest versions only.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, help="Most rows; default: 50.")
@json_option
@pass_context
def artifacts(
    context: Context, /, storage: str, *, search: str, sort: str, limit: int, as_json: bool, **given: Any
) -> None:
    """List a location's artifacts, as an attached instance has them. Trash and archive are left out."""
    query = ArtifactQuery(
        0, text=search, sort=sort.removeprefix("-"), is_falling=sort.startswith("-"), is_latest_only=given["latest"]
    )
    rows = iterate_artifacts(context.units, storage, query, instance_uid=given["instance"])
    records = [asdict(row) for row in islice(rows, limit)]
    print_rows(records if as_json else [{name: row[name] for name in _COLUMNS} for row in records], as_json)
