"""Reads a stream of server-sent events, see https://html.spec.whatwg.org/multipage/server-sent-events.html."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_USABLE_ID: Final = re.compile(r"[0-9A-Za-z-]+")  # it is sent back in a header

_LONGEST: Final = 1 << 20
"""The maximum number of bytes without an event."""

_LONGEST_SPREAD: Final = 60.0
_LONGEST_ID: Final = 100


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """An event that has data.

    Attributes:
        kind: The type of the event in the stream.
        data: Its data.
        id: The last usable id in the stream, if any.
    """

    kind: str
    data: str
    id: str = ""

    @property
    def spread(self) -> float:
        """The seconds over which clients should spread their next queries: at most 60, and 0 by default."""
        try:
            data: Any = orjson.loads(self.data)
        except orjson.JSONDecodeError:
            return 0.0
        spread = data.get("spread") if isinstance(data, dict) else None
        return min(max(0.0, float(spread)), _LONGEST_SPREAD) if isinstance(spread, int | float) else 0.0

    @property
    def changed_at(self) -> datetime | None:
        """When the change was made that the event is about, or ``None`` if it does not say that."""
        try:
            data: Any = orjson.loads(self.data)
            time = data.get("changed_at") if isinstance(data, dict) else None
            changed_at = datetime.fromisoformat(time) if isinstance(time, str) else None
        except ValueError:
            return None
        return changed_at if changed_at is None or changed_at.tzinfo is not None else None


class EventStreamReader:
    """Reads the events of a stream from the pieces in which it arrives."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._ended_in_cr = False
        self._kind = ""
        self._data: list[str] = []
        self._id = ""
        self._length = 0

    def read(self, piece: bytes) -> Iterator[ServerSentEvent]:
        """Yield the events that end in the next piece, in time proportional to the piece.

        Raises:
            ValueError: If there is no event within 1 MiB.
        """
        self._length += len(piece)
        if self._ended_in_cr and piece.startswith(b"\n"):
            piece = piece[1:]  # the second half of a line end
        if piece:
            self._ended_in_cr = piece.endswith(b"\r")
        begun, *others = _LINE_END.split(piece)
        self._line += begun
        for part in others:
            if self._line:
                self._field(self._line.decode(errors="replace"))
            else:
                if self._data:
                    yield ServerSentEvent(self._kind or "message", "\n".join(self._data), self._id)
                    self._length = 0
                self._kind, self._data = "", []
            self._line = bytearray(part)
        if self._length > _LONGEST:
            raise ValueError(f"the stream has no event within {_LONGEST} bytes")

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._kind = value
        elif name == "data":
            self._data.append(value)
        elif name == "id" and len(value) <= _LONGEST_ID and _USABLE_ID.fullmatch(value):
            self._id = value
