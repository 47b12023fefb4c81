"""Reading an S3 object's body from front to back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore import exceptions as boto

from portal.backends.s3.errors import Asked, translated
from portal.errors import ContentMismatch


class BodyStream:
    """The body of one answer, its length checked against the announced one."""

    def __init__(self, body: Any, size_bytes: int, asked: Asked) -> None:
        self._body = body
        self._left_bytes = size_bytes
        self._asked = asked
        self.size_bytes = size_bytes

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes; empty at the end.

        Raises:
            ContentMismatch: the body ended before its announced length.
            Unreachable: the connection broke or fell silent.
        """
        if size == 0 or not self._left_bytes:
            return b""
        with translated(self._asked), self._whole():
            data: bytes = self._body.read(None if size < 0 else size)
        self._left_bytes -= len(data)
        if self._left_bytes < 0 or (self._left_bytes and (not data or size < 0)):
            raise self._short()
        return data

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Tell a body that ended early from a connection that broke."""
        try:
            yield
        except boto.IncompleteReadError:
            raise self._short() from None
        except boto.ResponseStreamingError as error:
            if "IncompleteRead" in repr(error.kwargs.get("error")):
                raise self._short() from None
            raise

    def _short(self) -> ContentMismatch:
        return ContentMismatch(
            f"The body of {self._asked.key} ended before its announced length.", hint="Read it again.", retryable=True
        )

    def close(self) -> None:
        """Give the connection back, or close it when the body was not read to its end."""
        self._body.close()
