"""Reads pages of a listing in one pass: botocore parses each twice, and an object of it costs five times as much."""

import re
from collections.abc import Callable
from html import unescape
from typing import Any, Final
from urllib.parse import unquote_plus
from xml.etree import ElementTree

#: Where `take_page` leaves a page, beside what botocore tells of an answer.
RAW: Final = "Page"

_ROOT: Final = "ListBucketResult"
_END: Final = f"{_ROOT}>".encode()

#: Both may have a prefix; inside of a key no `<` is ever written as such.
_TOKEN: Final = re.compile(rb"<(?:\w+:)?NextContinuationToken>([^<]*)<")
_TRUNCATED: Final = re.compile(rb"<(?:\w+:)?IsTruncated>true<")

_NUMBERS: Final = frozenset({"KeyCount", "MaxKeys"})


def take_page(
    operation_model: Any, response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object
) -> None:
    """Keep a page as it came, for `following` and `read_page`, from being parsed by botocore; for `before-parse`.

    What is no page, or only the beginning of one, is left to botocore, which makes an error of it.
    """
    if operation_model.name != "ListObjectsV2" or response_dict["status_code"] != 200:
        return
    if response_dict["body"].rstrip().endswith(_END):
        customized_response_dict[RAW] = response_dict["body"]
        response_dict["body"] = b""


def following(answer: dict[str, Any]) -> str | None:
    """Return the token of the page after this one, without reading all of it; None where it is the last one."""
    body = answer.get(RAW)
    if body is None:
        return answer.get("NextContinuationToken") if answer.get("IsTruncated") else None
    token = _TOKEN.search(body) if _TRUNCATED.search(body) else None
    return unescape(token[1].decode()) if token else None


def read_page(body: bytes, read_time: Callable[[str], object]) -> dict[str, Any] | None:
    """Return a page as botocore would, without what nobody here asks for; None where it is none.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html#API_ListObjectsV2_ResponseSyntax

    Raises:
        ParseError: the text is no XML, or cut off.
        KeyError, ValueError: it is not what AWS documents.
    """
    root = ElementTree.fromstring(body)  # noqa: S314 - botocore reads it alike; expat bounds what entities grow to
    if not root.tag.endswith(_ROOT):
        return None
    # With or without a namespace, and with the one the server has chosen.
    space = root.tag.removesuffix(_ROOT)
    cut = len(space)
    page: dict[str, Any] = {}
    objects: list[dict[str, Any]] = []
    folders: list[dict[str, Any]] = []
    for child in root:
        name = child.tag[cut:]
        if name == "Contents":
            found = {field.tag[cut:]: field.text or "" for field in child}
            told = found.get("LastModified")
            objects.append(
                {
                    "Key": found["Key"],
                    "Size": int(found["Size"]),
                    "ETag": found.get("ETag", ""),
                    "LastModified": read_time(told) if told else None,
                }
            )
        elif name == "CommonPrefixes":
            folders.append({"Prefix": child.findtext(f"{space}Prefix") or ""})
        elif name == "IsTruncated":
            page[name] = child.text == "true"
        else:
            page[name] = int(child.text or 0) if name in _NUMBERS else child.text or ""
    if page.get("EncodingType") == "url":
        for entry, field in (*((entry, "Key") for entry in objects), *((entry, "Prefix") for entry in folders)):
            entry[field] = unquote_plus(entry[field])
    if objects:
        page["Contents"] = objects
    if folders:
        page["CommonPrefixes"] = folders
    return page
