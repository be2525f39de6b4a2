"""Exports that are passed on piece by piece."""

from collections.abc import Callable
from typing import Final

from heksherlite.engine.messages import Request
from heksherlite.errors import ServiceResponseError

_END: Final = b'{"end":'
_LONGEST_END: Final = 1_000


class ExportDownload:
    """Passes the pieces of an export on, and checks that it has an end.

    Args:
        take: Called with each piece.

    Attributes:
        failure: What ``take`` raised, or None.
    """

    def __init__(self, take: Callable[[bytes], object]) -> None:
        self._take = take
        self._tail = b""
        self.failure: Exception | None = None

    def take(self, piece: bytes) -> None:
        """Pass a piece on."""
        self._tail = (self._tail + piece[-_LONGEST_END:])[-_LONGEST_END:]
        try:
            self._take(piece)
        except Exception as error:
            self.failure = error
            raise

    def require_end(self, request: Request) -> None:
        """Check that the last line is that of an export.

        Raises:
            ServiceResponseError: It is not.
        """
        if not self._tail.removesuffix(b"\n").rpartition(b"\n")[2].startswith(_END):
            raise ServiceResponseError(str(request), "the export was cut off: it has no end")
