"""Recognise other ways of naming a bucket that people paste: S3's web addresses, the consoles' pages, ARNs.

Only what can mean one thing is rewritten; every other http(s) address stays the read-only web root it is to LaminDB.
"""

import re
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from portal.errors import InputError

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
_REGION = r"(?:[.-](?:dualstack\.)?[a-z]{2}(?:-[a-z]+)+-\d)?"
_BUCKET_IN_HOST = re.compile(rf"^(?P<bucket>[a-z0-9][a-z0-9.-]+)\.s3{_REGION}\.amazonaws\.com$")
_BUCKET_IN_PATH = re.compile(rf"^s3{_REGION}\.amazonaws\.com$")
_AWS_CONSOLE = re.compile(r"^(?:s3\.|[a-z0-9-]+\.)?console\.aws\.amazon\.com$")
_AWS_CONSOLE_PATH = re.compile(r"^/s3/buckets/(?P<bucket>[^/]+)/?$")
_GOOGLE_CONSOLE_PATH = re.compile(r"^/storage/browser/(?:_details/)?(?P<bucket>[^/;]+)/?(?P<prefix>[^;]*)")
_ARN = re.compile(r"^arn:aws:s3:::(?P<address>[^*]+?)(?:/\*)?$", re.IGNORECASE)


def rewrite_pasted_address(text: str) -> str:
    """Return `s3://…` or `gs://…` for an address that names a bucket in another way; anything else as it came.

    Raises:
        InputError: an ARN of something else, or a signed link, which holds a secret and ends.
    """
    if text.lower().startswith("arn:"):
        return _rewrite_arn(text)
    if not text.lower().startswith(("http://", "https://")):
        return text
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").lower()
    except ValueError as error:
        raise InputError("This web address cannot be read.", hint="Type s3://bucket/folder.", field="root") from error
    if "x-amz-signature" in parts.query.lower():
        raise InputError(
            "This is a signed link: it holds a secret and stops working.", hint="Type s3://bucket/folder.", field="root"
        )
    return _from_s3(parts, host) or _from_console(parts, host) or text


def _rewrite_arn(text: str) -> str:
    found = _ARN.match(text)
    if found is None:
        raise InputError(f"{text} is not the ARN of an S3 bucket.", hint="Type s3://bucket/folder.", field="root")
    return f"s3://{found['address']}"


def _from_s3(parts: SplitResult, host: str) -> str | None:
    path = unquote(parts.path)
    if found := _BUCKET_IN_HOST.match(host):
        return _s3_text(found["bucket"], path)
    if _BUCKET_IN_PATH.match(host) and path.strip("/"):
        return "s3:/" + _without_query_mark(path)
    return None


def _from_console(parts: SplitResult, host: str) -> str | None:
    if _AWS_CONSOLE.match(host) and (found := _AWS_CONSOLE_PATH.match(parts.path)):
        prefix = parse_qs(parts.query).get("prefix", [""])[0]
        return _s3_text(found["bucket"], "/" + prefix)
    if host == "console.cloud.google.com" and (found := _GOOGLE_CONSOLE_PATH.match(parts.path)):
        return f"gs://{found['bucket']}/{unquote(found['prefix'])}".rstrip("/")
    return None


def _s3_text(bucket: str, path: str) -> str:
    return f"s3://{bucket}" + _without_query_mark(path)


def _without_query_mark(path: str) -> str:
    if "?" in path:
        raise InputError(
            "The prefix holds a question mark, which LaminDB cannot address.", hint="Choose another one.", field="root"
        )
    return path
