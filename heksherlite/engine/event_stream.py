"""Reads a stream of server-sent events, see https://html.spec.whatwg.org/multipage/server-sent-events.html."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

_LINE_END: Final = re.compile(rb"\r\n|\n|\r(?!\Z)")
"""A carriage return that comes last may be half of a line end."""

_LONGEST: Final = 1 << 20
"""How many bytes an event may have."""

_LONGEST_SPREAD: Final = 60.0


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """An event that has data.

    Attributes:
        kind: What the stream calls it.
        data: Its data.
    """

    kind: str
    data: str

    @property
    def spread(self) -> float:
        """Over how many seconds the service wants the queries spread that follow; 0 if it does not say, 60 at most."""
        try:
            data: Any = orjson.loads(self.data)
        except orjson.JSONDecodeError:
            return 0.0
        spread = data.get("spread") if isinstance(data, dict) else None
        return min(max(0.0, float(spread)), _LONGEST_SPREAD) if isinstance(spread, int | float) else 0.0


class EventStreamReader:
    """Takes in a stream, in whatever pieces it arrives, and gives out its events."""

    def __init__(self) -> None:
        self._rest = b""
        self._kind = ""
        self._data: list[str] = []
        self._length = 0

    def read(self, piece: bytes) -> Iterator[ServerSentEvent]:
        """Yield the events that end in the next piece.

        Raises:
            ValueError: If an event has more than 1 MiB.
        """
        *lines, self._rest = _LINE_END.split(self._rest + piece)
        for line in lines:
            self._length += len(line)
            if line:
                self._field(line.decode(errors="replace"))
            else:
                if self._data:
                    yield ServerSentEvent(self._kind or "message", "\n".join(self._data))
                self._kind, self._data, self._length = "", [], 0
        if self._length + len(self._rest) > _LONGEST:
            raise ValueError(f"an event of the stream has more than {_LONGEST} bytes")

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._kind = value
        elif name == "data":
            self._data.append(value)
