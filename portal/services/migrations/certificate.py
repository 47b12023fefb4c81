"""Certificates of moves: issued once for each state after the cut-over, then given out as they were signed."""

from typing import Any

from portal.errors import Conflict, NotFound
from portal.models import Migration
from portal.planning.certificates import CERTIFICATE, PROOF, path_values, signed_part
from portal.planning.states import MigrationState
from portal.services.events import Change, record
from portal.services.migrations.lookups import find_migration
from portal.services.migrations.statement import statement_of
from portal.services.signing import ALGORITHM, Signer, open_signer
from portal.services.units import Units
from portal.services.work import Work
from portal.transfer.manifest import find_object

#: States in which a move has a certificate: the registry names the new root, or named it until a rollback.
CERTIFIED = frozenset(
    {MigrationState.SOAKING, MigrationState.ROLLING_BACK, MigrationState.RELEASED, MigrationState.ROLLED_BACK}
)


def get_certificate(units: Units, uid: str) -> dict[str, Any]:
    """Return the signed certificate of a move in its present state; the first to ask has it issued.

    Raises:
        NotFound: there is no such migration, or its location is out of reach.
        Conflict: it was not cut over, or before the portal kept manifests.
    """
    with units.reading() as work:
        migration = find_migration(work, uid)
        _refuse_uncertified(migration)
        found = _issued(migration)
    if found is not None:
        return found
    with units.writing() as work:
        return _issue(work, find_migration(work, uid, locks=True))


def prove_object(units: Units, uid: str, key: str) -> dict[str, Any]:
    """Return the proof that one object is in a certificate's manifest, with the certificate.

    Raises:
        NotFound: there is no such migration in reach, or its manifest has no such key.
        Conflict: it has no certificate.
        ContentMismatch: the manifest in the ledger is damaged.
    """
    certificate = get_certificate(units, uid)
    with units.reading() as work:
        manifest = (find_migration(work, uid).plan or {})["manifest"]
        ledger = str(work.settings.ledger_dir)
    found = find_object(ledger, manifest, key)
    if found is None:
        raise NotFound(
            f"The manifest of migration {uid} has no object {key}.",
            hint="Give its key below the root, as it is listed.",
        )
    return {
        "format": PROOF,
        "object": found.line,
        "lines": path_values(found.lines),
        "segments": path_values(found.segments),
        "certificate": certificate,
    }


def has_certificate(state: MigrationState, plan: dict[str, Any] | None) -> bool:
    """Tell whether a move in this state has a certificate."""
    return state in CERTIFIED and "manifest" in (plan or {})


def public_key(work: Work) -> Signer:
    """Return the key that certificates of this portal are signed with. Its public half is for everybody."""
    return open_signer(work.settings.certificate_key_path, work.vault)


def _refuse_uncertified(migration: Migration) -> None:
    state = MigrationState(migration.state)
    if state not in CERTIFIED:
        raise Conflict(
            f"Migration {migration.uid} is {state.label}: it has no certificate.",
            hint="A move has one once it is cut over.",
        )
    if not has_certificate(state, migration.plan):
        raise Conflict(
            f"Migration {migration.uid} was cut over by an earlier version of the portal, which kept no manifest: "
            "it has no certificate.",
            hint="Its events say what was verified: portal migration show, or its page.",
        )


def _issued(migration: Migration) -> dict[str, Any] | None:
    found: dict[str, Any] | None = ((migration.plan or {}).get("certificates") or {}).get(migration.state)
    return found


def _issue(work: Work, migration: Migration) -> dict[str, Any]:
    _refuse_uncertified(migration)
    if (found := _issued(migration)) is not None:
        return found
    signer = public_key(work)
    document: dict[str, Any] = {
        "format": CERTIFICATE,
        "statement": statement_of(work, migration),
        "key": {"id": signer.key_id, "algorithm": ALGORITHM, "public": signer.public_text},
    }
    document["signature"] = signer.sign(signed_part(document))
    plan = migration.plan or {}
    issued = {**(plan.get("certificates") or {}), migration.state: document}
    migration.plan = {**plan, "certificates": issued}
    after = {"state": migration.state, "key": signer.key_id, "manifest": plan["manifest"]["root"]}
    record(work, "migration.certificate-issued", migration, Change(after=after))
    return document
