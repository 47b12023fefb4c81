"""Reads pages of a listing in one pass: botocore parses each twice, and an object of it costs five times as much."""

from collections.abc import Callable
from typing import Any, Final
from xml.etree import ElementTree

_ROOT: Final = "ListBucketResult"

_NUMBERS: Final = frozenset({"KeyCount", "MaxKeys"})


def take_page(
    operation_model: Any,
    response_dict: dict[str, Any],
    customized_response_dict: dict[str, Any],
    read_time: Callable[[str], object],
    **_: object,
) -> None:
    """Take a page out of an answer before botocore parses it; for its event `before-parse`.

    What is no page, or only the beginning of one, is left to botocore, which makes an error of it.
    """
    if operation_model.name != "ListObjectsV2" or response_dict["status_code"] != 200:
        return
    try:
        page = read_page(response_dict["body"], read_time)
    except (ElementTree.ParseError, ValueError, KeyError):
        return
    if page is not None:
        customized_response_dict.update(page)
        response_dict["body"] = b""


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
            objects.append(
                {
                    "Key": found["Key"],
                    "Size": int(found["Size"]),
                    "ETag": found.get("ETag", ""),
                    "LastModified": read_time(found["LastModified"]),
                }
            )
        elif name == "CommonPrefixes":
            folders.append({"Prefix": child.findtext(f"{space}Prefix") or ""})
        elif name == "IsTruncated":
            page[name] = child.text == "true"
        else:
            page[name] = int(child.text or 0) if name in _NUMBERS else child.text or ""
    if objects:
        page["Contents"] = objects
    if folders:
        page["CommonPrefixes"] = folders
    return page
