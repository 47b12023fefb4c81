"""What a certificate and a proof of one object are made of, and what can be told of them without asking anybody.

Signing and checking signatures is `services/signing.py`; here is the exact text that is signed, and the arithmetic.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portal.errors import InputError
from portal.planning.merkle import Path, leaf_hash, root_from, segment_hash
from portal.planning.outcomes import THERE, Level

CERTIFICATE, PROOF = "storage-portal/certificate/1", "storage-portal/proof/1"

#: Evidence at the target, strongest first (design, "Verify").
STRENGTH = (Level.READ_BACK, Level.SERVER, Level.PARTS, Level.NONE)

#: How levels are called in certificates: none has a name too, so that nobody reads an empty word as a good one.
LEVEL_NAMES = {Level.NONE: "none"} | {level: level.value for level in STRENGTH[:-1]}


def canonical(document: Any) -> bytes:
    """Return the one text of a JSON document that is signed: keys sorted, no spaces, UTF-8."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "surrogatepass")


def signed_part(document: Mapping[str, Any]) -> bytes:
    """Return what of a certificate is signed: everything but the signature."""
    return canonical({name: value for name, value in document.items() if name != "signature"})


def parse(data: bytes) -> dict[str, Any]:
    """Read a certificate or a proof, strictly: what two readers could understand differently is refused.

    Raises:
        InputError: it is no JSON object, names a key twice or holds a number that is no whole one.
    """
    try:
        found = json.loads(data, object_pairs_hook=_once, parse_float=_refuse_number, parse_constant=_refuse_number)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"It is no certificate or proof: {error}.", hint="Give the JSON file as it was made."
        ) from error
    if not isinstance(found, dict):
        raise InputError("It is no certificate or proof.", hint="Give the JSON file as it was made.")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands in it twice")
    return found


def _refuse_number(text: str) -> Any:
    raise ValueError(f"{text} is no whole number")


def weakest(counts: Mapping[str, int]) -> str:
    """Return the name of the weakest level that any object has; `none` where there are no objects."""
    present = [LEVEL_NAMES[level] for level in STRENGTH if counts.get(LEVEL_NAMES[level])]
    return present[-1] if present else LEVEL_NAMES[Level.NONE]


def evidence_words(counts: Mapping[str, Sequence[int]]) -> str:
    """Return how objects were verified, from the counts of a manifest (`level read_back`: objects and bytes)."""
    words = {Level.READ_BACK: "read back at the target and its SHA-256 equals the source's"}
    words[Level.SERVER] = "compared with the server's own checksum of it"
    words[Level.PARTS] = "compared with the server's checksum of its parts"
    words[Level.NONE] = "not verified"
    found = [(level, counts.get(f"level {LEVEL_NAMES[level]}", (0, 0))[0]) for level in STRENGTH]
    present = [(words[level], count) for level, count in found if count]
    if not present:
        return "No object was moved"
    if len(present) == 1:
        return f"Every object was {present[0][0]}"
    return "Every object was looked at: " + "; ".join(f"{count:,} {text}" for text, count in present)


def rot_words(*, takes_rot: bool, taken: Mapping[str, Any] | None) -> str:
    """Return what a person let be copied though LaminDB recorded it otherwise; empty for nothing.

    `taken`: how many objects that was when it was decided, and `examples` of their keys; None where nobody counted.
    """
    if not takes_rot:
        return ""
    count = taken["count"] if taken else 0
    if not taken or not count:
        return "What is not as LaminDB recorded it is copied as it is: a person decided so."
    if count == 1:
        found = f"1 object was copied though it is not as LaminDB recorded it: {taken['examples'][0]}."
    else:
        found = f"{count:,} objects were copied though they are not as LaminDB recorded them"
        found += f"{', such as' if count > len(taken['examples']) else ':'} {', '.join(taken['examples'])}."
    return f"{found} Anything found to differ later was taken, too."


def contradictions(statement: Mapping[str, Any]) -> list[str]:
    """Return in what a statement contradicts itself, as sentences; a signature does not make a sum right."""
    try:
        return list(_contradictions(statement))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        return [f"A part of the statement is missing or of another kind: {error}."]


def _contradictions(statement: Mapping[str, Any]) -> Iterable[str]:
    objects, manifest = statement["objects"], statement["manifest"]
    outcomes, levels = objects["outcomes"], objects["levels"]
    if sum(entry["count"] for entry in outcomes.values()) != manifest["count"] or objects["count"] != manifest["count"]:
        yield "The outcomes do not add up to the number of objects in the manifest."
    moved = [outcomes[outcome.value] for outcome in sorted(THERE) if outcome.value in outcomes]
    for name in ("levels", "hashes"):
        for unit in ("count", "bytes"):
            if sum(entry[unit] for entry in objects[name].values()) != sum(entry[unit] for entry in moved):
                yield f"The {name} do not add up to what was copied or equal already, in {unit}."
    if objects["level"] != weakest({name: entry["count"] for name, entry in levels.items()}):
        yield "The level is not the weakest one of the objects."
    checked = statement["lamindb"]["hash_checked_count"]  # None in certificates of earlier versions
    if checked is not None and not 0 <= checked <= objects["moved_count"]:
        yield "More objects are said to be as LaminDB recorded them than were moved."
    _digest(manifest["root"])


@dataclass(frozen=True, slots=True)
class ProvenObject:
    """What a proof says of one object, once its path has been followed to a root.

    Attributes:
        record: the object's line in the manifest.
        root: hex root its path leads to; None where the path fits no tree.
    """

    record: dict[str, Any]
    root: str | None


def follow(proof: Mapping[str, Any]) -> ProvenObject:
    """Recompute the manifest's root from one object's line and its path.

    Raises:
        InputError: a part of the proof is missing or of another kind.
    """
    try:
        line: str = proof["object"]
        lower, upper = _path(proof["lines"]), _path(proof["segments"])
        record = parse(line.encode())
        if not isinstance(record["key"], str):
            raise TypeError("the object has no key")
        root = root_from(leaf_hash(line.encode()), lower)
        if root is not None:
            root = root_from(segment_hash(lower.count, root), upper)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"A part of the proof is missing or of another kind: {error}.") from error
    return ProvenObject(record, root.hex() if root is not None else None)


def path_values(path: Path) -> dict[str, Any]:
    """Return a path as values for JSON."""
    return {"index": path.index, "count": path.count, "beside": [digest.hex() for digest in path.beside]}


def _path(values: Mapping[str, Any]) -> Path:
    index, count = values["index"], values["count"]
    if type(index) is not int or type(count) is not int:
        raise TypeError("an index is no whole number")
    return Path(index, count, tuple(_digest(text) for text in values["beside"]))


def _digest(text: str) -> bytes:
    found = bytes.fromhex(text)
    if len(found) != 32 or found.hex() != text:
        raise ValueError("a digest is not written as 64 small hexadecimal digits")
    return found
