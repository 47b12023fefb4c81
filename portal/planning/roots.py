"""Turn what a person types into a root, in LaminDB's exact normal form (facts: lamindb docs, storage model).

Pure: `~` and relative paths need `home` and `cwd`, and symlinks are not followed. A service that may touch the disk
resolves `expand_local(...)` first and hands the result to `local_root`.
"""

import posixpath
import re
from urllib.parse import parse_qsl, urlsplit

from portal.errors import InputError
from portal.planning.addresses import rewrite_pasted_address
from portal.values import MANAGED_FOLDER, Root, StorageType

#: `lamindb_storage.root` is varchar(255); PostgreSQL refuses more, SQLite silently takes it.
MAX_ROOT_CHARACTERS = 255

_PROTOCOL = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)(://|::)")
_FORGOTTEN_SLASHES = re.compile(r"^(s3|gs|hf|https?|file):/?(?!/)", re.IGNORECASE)
_AWS_BUCKET = re.compile(r"^(?!\d+\.\d+\.\d+\.\d+$)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
_OTHER_BUCKET = re.compile(r"^(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{1,254}$")
_REMOTE_TYPES = {"s3": StorageType.S3, "gs": StorageType.GS, "hf": StorageType.HF}
_WEB_TYPES = {"http": StorageType.HTTP, "https": StorageType.HTTPS}


def parse_root(text: str, *, home: str, cwd: str) -> Root:
    """Return the root that `text` means. `home` and `cwd` are absolute paths that `~` and relative paths start from.

    Raises:
        InputError: LaminDB or the portal refuses such a root; the field is `root`.
    """
    typed = text.strip()
    if not typed:
        raise _refusal("An empty root means the working directory to LaminDB.", "Type the whole path.")
    _check_characters(typed)
    typed = rewrite_pasted_address(typed)
    return _check_whole(_parse(typed, home, cwd))


def expand_local(text: str, *, home: str, cwd: str) -> str:
    """Return the absolute path a local root means, with `..` and symlinks still in it, for a caller that resolves them.

    Raises:
        InputError: `~name`, which stands for another account's home.
    """
    typed = _strip_file_protocol(text.strip())
    if typed == "~" or typed.startswith("~/"):
        return home + typed[1:]
    if typed.startswith("~"):
        raise _refusal(f"{typed.split('/')[0]} stands for another account's home.", "Type the whole path.")
    return posixpath.join(cwd, typed)


def local_root(resolved_path: str) -> Root:
    """Return the root of an absolute path whose symlinks a caller has resolved.

    Raises:
        InputError: the path is relative, the whole file system, too long, or inside `.lamindb`.
    """
    if not resolved_path.startswith("/"):
        raise _refusal(f"{resolved_path} is not an absolute path.", "Type the whole path.")
    path = "/" + posixpath.normpath(resolved_path).lstrip("/")
    if path == "/":
        raise _refusal("The whole file system cannot be a storage location.", "Choose a folder.")
    return _check_whole(Root(type=StorageType.LOCAL, text=path, path=path))


def is_local(text: str) -> bool:
    """Tell whether what was typed is a path on a host: it names no protocol, or `file://`."""
    typed = text.strip()
    found = _PROTOCOL.match(typed)
    return (found is None or found[1].lower() == "file") and not typed.lower().startswith("arn:")


def _parse(typed: str, home: str, cwd: str) -> Root:
    found = _PROTOCOL.match(typed)
    protocol = found[1].lower() if found else "file"
    if found and found[2] == "://" and protocol in _REMOTE_TYPES:
        return _parse_bucket(_REMOTE_TYPES[protocol], typed[found.end() :])
    if found and found[2] == "://" and protocol in _WEB_TYPES:
        return _parse_web(_WEB_TYPES[protocol], typed[found.end() :])
    if protocol != "file":
        raise _refusal(
            f"LaminDB knows no storage of protocol {protocol}.",
            "Use a local path, s3://, gs://, hf://, http:// or https://.",
        )
    _check_local_text(typed)
    return local_root(expand_local(typed, home=home, cwd=cwd))


def _check_local_text(typed: str) -> None:
    if not typed.startswith("file://") and (found := _FORGOTTEN_SLASHES.match(typed)):
        raise _refusal(f"{typed} names a protocol without //.", f"Type {found[1].lower()}:// and then the rest.")
    if re.match(r"^[A-Za-z]:[\\/]", typed) or typed.startswith("\\\\"):
        raise _refusal(f"{typed} is a Windows path; local roots are POSIX paths.", "Type a path that starts with /.")
    if re.match(r"^create-s3(--[a-z0-9-]+)?$", typed):
        raise _refusal(
            f"{typed} asks LaminHub for a bucket of its own, which the portal does not have.",
            "Connect a bucket with s3://, or type ./ before the name if a folder is meant.",
        )


def _strip_file_protocol(typed: str) -> str:
    """Take `file://` off: LaminDB would store it as it is, a root that no path lies under."""
    if not typed.lower().startswith("file://"):
        return typed
    rest = typed[len("file://") :]
    if rest.startswith("localhost/"):
        rest = rest[len("localhost") :]
    if not rest.startswith("/"):
        raise _refusal(f"{typed} names another machine.", "Type the path, and choose its host.")
    return rest


def _parse_bucket(kind: StorageType, rest: str) -> Root:
    address, query = rest, ""
    if kind is StorageType.S3:
        address, _, query = rest.partition("?")
    bucket, _, prefix = address.rstrip("/").partition("/")
    endpoint_url = _endpoint_of(query)
    _check_bucket(kind, bucket, endpoint_url)
    if any(part in {".", ".."} for part in prefix.split("/")):
        raise _refusal("A prefix with . or .. as a part is read differently by every tool.", "Write it without them.")
    text = f"{kind}://{bucket}" + (f"/{prefix}" if prefix else "")
    if endpoint_url:
        text += f"?endpoint_url={endpoint_url}"
    return Root(type=kind, text=text, bucket=bucket, path=prefix, endpoint_url=endpoint_url)


def _parse_web(kind: StorageType, rest: str) -> Root:
    address = rest.rstrip("/")
    host, _, path = address.partition("/")
    if not host:
        raise _refusal("This address names no host.", f"Type {kind}:// and then the host.")
    if "@" in host:
        raise _refusal("A root with a user name or password in it would show them to everybody.", "Leave them out.")
    return Root(type=kind, text=f"{kind}://{address}", bucket=host, path=path)


def _endpoint_of(query: str) -> str | None:
    """Return the endpoint of a query, verbatim; every other parameter is dropped as LaminDB does."""
    values = [value for name, value in parse_qsl(query, keep_blank_values=True) if name == "endpoint_url"]
    if len(values) > 1:
        raise _refusal("The root gives endpoint_url more than once.", "Keep one of them.")
    if not values or not values[0]:
        return None
    endpoint_url = values[0]
    try:
        parts = urlsplit(endpoint_url)
        is_usable = (
            parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
        )
    except ValueError:
        is_usable = False
    if not is_usable or parts.query or parts.fragment or re.search(r"[\s&#?]", endpoint_url):
        raise _refusal(
            f"{endpoint_url} is not the address of an S3 endpoint.", "Type it like https://s3.example.org:9000."
        )
    if "@" in parts.netloc:
        raise _refusal("The endpoint holds a user name or password.", "Leave it out; keys belong to the connection.")
    return endpoint_url


def _check_bucket(kind: StorageType, bucket: str, endpoint_url: str | None) -> None:
    if not bucket:
        raise _refusal(f"The root names no bucket after {kind}://.", f"Type {kind}://bucket or {kind}://bucket/folder.")
    rule = _AWS_BUCKET if kind is StorageType.S3 and endpoint_url is None else _OTHER_BUCKET
    if not rule.match(bucket):
        raise _refusal(
            f"{bucket} cannot be the name of a bucket.",
            "Bucket names have 3 to 63 lower-case letters, digits, dots and hyphens; both ends are a letter or digit.",
        )


def _check_characters(text: str) -> None:
    if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in text):
        raise _refusal("The root contains a control character, such as a line break.", "Type it again by hand.")
    if any(0xD800 <= ord(character) < 0xE000 for character in text):
        raise _refusal("The root contains bytes that are not UTF-8.", "Rename the folder.")
    if MANAGED_FOLDER in text:
        raise _refusal(
            f"The root contains {MANAGED_FOLDER}, the folder in which LaminDB keeps its own objects.",
            f"Choose a folder whose name and path do not contain {MANAGED_FOLDER}.",
        )


def _check_whole(root: Root) -> Root:
    _check_characters(root.text)
    if len(root.text) > MAX_ROOT_CHARACTERS:
        raise _refusal(
            f"The root has {len(root.text)} characters; LaminDB's database holds {MAX_ROOT_CHARACTERS}.",
            "Choose a shorter path.",
        )
    return root


def _refusal(message: str, hint: str) -> InputError:
    return InputError(message, hint=hint, field="root")
