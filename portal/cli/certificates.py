"""`portal migration certificate`, `portal migration prove`, `portal certificate verify`."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from portal.cli.context import Context
from portal.cli.main import cli, fail, json_option, pass_context, print_result
from portal.cli.migrations import migration
from portal.errors import InputError
from portal.planning.certificates import parse
from portal.services.certificate_checks import Verdict, check_document
from portal.services.migrations.certificate import get_certificate, prove_object
from portal.services.signing import read_public

output_option = click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write the JSON there."
)


@migration.command("certificate")
@click.argument("uid", metavar="ID")
@output_option
@json_option
@pass_context
def certificate_of(context: Context, uid: str, output: Path | None, as_json: bool) -> None:
    """Give out the signed certificate of a move that was cut over."""
    document = get_certificate(context.units, uid)
    _give(document, output, as_json, _summary(document["statement"], document["key"]["id"]))


@migration.command("prove")
@click.argument("uid", metavar="ID")
@click.argument("key")
@output_option
@json_option
@pass_context
def prove(context: Context, uid: str, key: str, output: Path | None, as_json: bool) -> None:
    """Prove one object of a move: its line in the manifest, the path to the root, and the certificate."""
    proof = prove_object(context.units, uid, key)
    line = json.loads(proof["object"])
    text = "\n".join(f"{name}: {value}" for name, value in line.items())
    how = "" if output else "\nAdd --output FILE or --json for the proof itself."
    _give(proof, output, as_json, text + how)


def _give(document: dict[str, Any], output: Path | None, as_json: bool, text: str) -> None:
    """Print a document, or write it to a file and say so."""
    if output is None:
        print_result(document, as_json, text)
        return
    try:
        output.write_text(json.dumps(document, indent=2, ensure_ascii=True) + "\n")
    except OSError as error:
        raise InputError(f"{output} cannot be written: {error.strerror}.", field="output") from error
    print_result({"file": str(output)}, as_json, f"Written to {output}.\n{text}")


@cli.group()
def certificate() -> None:
    """Certificates of moves."""


@certificate.command("verify")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--key", metavar="PUBLICKEY", help="The portal's public key, as its page /certificate-key gives it.")
@click.option("--key-file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="The same in a file.")
@click.option(
    "--object", "local", type=click.Path(path_type=Path, dir_okay=False), metavar="PATH",
    help="Compare this file with the object of a proof.",
)  # fmt: skip
@json_option
def verify(file: Path, key: str | None, key_file: Path | None, local: Path | None, as_json: bool) -> None:
    """Check a certificate, or the proof of one object; needs the file alone. Exit code 1: not valid."""
    if key and key_file:
        raise click.UsageError("Give --key or --key-file, not both.")
    text = _read(key_file).decode(errors="replace") if key_file else key
    verdict = check_document(parse(_read(file)), read_public(text) if text else None, local)
    values = {"is_valid": verdict.is_valid} | asdict(verdict)
    if as_json or verdict.is_valid:
        print_result(values, as_json, _words(verdict) if verdict.is_valid else "")
        sys.stdout.flush()
    if not verdict.is_valid:
        fail(f"{file} is not valid. {' '.join(verdict.faults)}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.", hint="Look at the path.") from error


def _words(verdict: Verdict) -> str:
    lines = [f"Valid {verdict.kind}."]
    if verdict.record is not None:
        lines += [f"{name}: {value}" for name, value in verdict.record.items()]
    if verdict.checked:
        lines.append(f"The file is that object: same length, same {verdict.checked}.")
    lines.append(_summary(verdict.statement, verdict.key_id))
    if not verdict.is_key_given:
        lines.append("Checked against the key inside alone: compare it with the portal's, on /certificate-key,")
        lines.append("or give that one with --key. Anybody can sign with a key of their own.")
    return "\n".join(lines)


def _summary(statement: dict[str, Any], key_id: str) -> str:
    """Return the lines of a certificate that people look at first."""
    move, objects = statement["migration"], statement["objects"]
    switch = statement.get("switch") or {}
    left = sum(tally["count"] for tally in statement["left_out"]["excluded"].values())
    counts = ", ".join(f"{name}: {entry['count']:,}" for name, entry in objects["outcomes"].items())
    checked = (statement.get("lamindb") or {}).get("hash_checked_count")
    recorded = "not counted" if checked is None else f"{checked:,} of {objects['moved_count']:,}"
    return "\n".join(
        [
            f"migration: {move['id']}, {move['standing']}",
            f"location: {statement['location']['uid']}",
            f"from: {move['from']['root']}",
            f"to: {move['to']['root']}",
            f"objects: {objects['count']:,} ({counts or 'none'}), {objects['moved_bytes']:,} bytes moved",
            f"left out: {left:,}",
            f"level: {objects['level']}",
            f"LaminDB's hash worked out again and equal: {recorded}",
            f"fence: {switch.get('fence', 'not known')}",
            f"manifest: {statement['manifest']['root']}",
            f"signed by portal {key_id} at {statement['portal']['address']}, {statement['issued_at']}",
        ]
    )
