"""The last good state of a client as bytes for a file: the unchanged responses of the service.

The format is described in ``docs/guides/snapshots.md``.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from typing import Any, Final, Self, TypeVar

import orjson

from heksherlite.engine.messages import Request, Response
from heksherlite.engine.protocol import DELTA_STATUS
from heksherlite.errors import SnapshotError

T = TypeVar("T")

EVERYTHING: Final = "*"
"""The context filter that every rule passes."""

LARGEST: Final = 1 << 30
"""The maximum number of bytes of all responses in a snapshot."""

_VERSION: Final = 1
_BEGINNING: Final = b'{"format":"heksherlite-snapshot","version":'
_DIGEST: Final = b',"sha256":"'
_QUERY: Final = Request("GET", "/api/v1/query")


@dataclass(frozen=True, slots=True)
class KeptResponse:
    """A response to a query as it arrived.

    Attributes:
        status: The HTTP status: 200 for a complete response, 226 for the changes since the earlier responses.
        media_type: The media type of the body, without parameters.
        etag: The ``ETag`` header, if there was one.
        content: The body.
    """

    status: int
    media_type: str
    etag: str | None
    content: bytes

    @classmethod
    def of(cls, response: Response) -> Self:
        """Return the parts of a response that are kept."""
        return cls(response.status, response.media_type, response.etag, response.content)

    def to_response(self) -> Response:
        """Return a response for :func:`heksherlite.engine.query_responses.read_query`."""
        return Response(_QUERY, self.status, self.content, self.etag, self.media_type)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of a client at one time.

    Attributes:
        service: The URL of the service without credentials. Empty if any client may use the snapshot.
        context_features: The context features in the service's order.
        context_filters: Which rules it contains, in the notation of the query.
        taken_at: The time, in UTC.
        responses: Complete responses, one per query, followed by the partial responses in the order of arrival.

    Raises:
        ValueError: If ``taken_at`` is not in UTC.
    """

    service: str
    context_features: tuple[str, ...]
    context_filters: str
    taken_at: datetime
    responses: tuple[KeptResponse, ...]

    def __post_init__(self) -> None:
        if self.taken_at.utcoffset() != timedelta(0):
            raise ValueError(f"the time of a snapshot must be in UTC: {self.taken_at!r}")


def encode(snapshot: Snapshot) -> bytes:
    """Encode a snapshot.

    Raises:
        SnapshotError: If the responses are larger than a snapshot can be.
    """
    if (size := sum(len(response.content) for response in snapshot.responses)) > LARGEST:
        raise SnapshotError(f"it is too large: {size:,} bytes of responses, of at most {LARGEST:,}")
    # The fastest level: rules repeat themselves, so that any level makes them several times smaller.
    compressor = zlib.compressobj(zlib.Z_BEST_SPEED)
    pieces = [compressor.compress(response.content) for response in snapshot.responses]
    contents = b"".join([*pieces, compressor.flush()])
    header = {
        "service": snapshot.service,
        "context_features": snapshot.context_features,
        "context_filters": snapshot.context_filters,
        "taken_at": snapshot.taken_at.isoformat(),
        "responses": [
            {
                "status": response.status,
                "media_type": response.media_type,
                "etag": response.etag,
                "size": len(response.content),
            }
            for response in snapshot.responses
        ],
        "compressed_size": len(contents),
    }
    head = _BEGINNING + b"%d," % _VERSION + orjson.dumps(header)[1:-1]
    return b'%b%b%b"}\n%b' % (head, _DIGEST, _digest(head, contents), contents)


def decode(data: bytes) -> Snapshot:
    """Decode a snapshot.

    Raises:
        SnapshotError: If the bytes are not a snapshot.
    """
    if not data.startswith(_BEGINNING):
        raise SnapshotError("it is truncated" if _BEGINNING.startswith(data) else "it is not a heksherlite snapshot")
    end = data.find(b"\n")
    if end == -1:
        raise SnapshotError("it is truncated")
    header = _parsed(data[:end])
    _check_version(header["version"])
    contents = memoryview(data)[end + 1 :]
    if len(contents) < _member(header, "compressed_size", int):
        raise SnapshotError("it is truncated")
    head, _, digest = data[:end].rpartition(_DIGEST)
    if digest != _digest(head, contents) + b'"}':
        raise SnapshotError("it is corrupt: its digest is another one")
    return Snapshot(
        service=_member(header, "service", str),
        context_features=_context_features(header),
        context_filters=_member(header, "context_filters", str),
        taken_at=_taken_at(header),
        responses=_responses(_member(header, "responses", list), contents),
    )


def unusable_because(
    snapshot: Snapshot, *, service: str, context_features: Sequence[str], context_filters: str
) -> str | None:
    """Return why a client cannot use a snapshot, or ``None`` if it can.

    Args:
        snapshot: The snapshot.
        service: The URL of the client's service, without credentials; empty for none.
        context_features: The context features in the client's order.
        context_filters: What the client tracks, in the notation of the query.
    """
    if snapshot.service and service and snapshot.service != service:
        return f"it is of the service at {snapshot.service}, and not of the one at {service}"
    if snapshot.context_features != tuple(context_features):
        return f"its context features are {list(snapshot.context_features)}, and not {list(context_features)}"
    if snapshot.context_filters not in (EVERYTHING, context_filters):
        return f"it has the rules for {snapshot.context_filters!r:.100}, and not those for {context_filters!r:.100}"
    return None


def _digest(head: bytes, contents: bytes | memoryview) -> bytes:
    digest = sha256(head)
    digest.update(contents)
    return digest.hexdigest().encode()


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        header: dict[str, Any] = orjson.loads(line)  # what it begins with makes it an object
    except orjson.JSONDecodeError as error:
        raise SnapshotError(f"it is corrupt: its header is not JSON: {error}") from None
    return header


def _check_version(version: Any) -> None:
    if type(version) is not int or version < _VERSION:
        raise SnapshotError(f"it is corrupt: {version!r:.100} is not a schema version")
    if version > _VERSION:
        raise SnapshotError(f"a newer heksherlite made it: schema version {version}, and this one reads {_VERSION}")


def _context_features(header: dict[str, Any]) -> tuple[str, ...]:
    names = _member(header, "context_features", list)
    if not all(isinstance(name, str) for name in names):
        raise _wrong("context_features", names)
    return tuple(names)


def _taken_at(header: dict[str, Any]) -> datetime:
    text = _member(header, "taken_at", str)
    try:
        taken_at = datetime.fromisoformat(text)
    except ValueError:
        raise _wrong("taken_at", text) from None
    if taken_at.utcoffset() != timedelta(0):
        raise _wrong("taken_at", text)
    return taken_at.replace(tzinfo=UTC)


def _responses(described: list[Any], contents: memoryview) -> tuple[KeptResponse, ...]:
    ends = [0]
    for response in described:
        if not isinstance(response, dict):
            raise _wrong("responses", described)
        if response.get("status") not in (200, DELTA_STATUS):
            raise _wrong("status", response.get("status"))
        size = _member(response, "size", int)
        if size < 0 or ends[-1] + size > LARGEST:
            raise _wrong("size", size)
        ends.append(ends[-1] + size)
    content = _decompressed(contents, ends[-1])
    return tuple(
        KeptResponse(
            status=_member(response, "status", int),
            media_type=_member(response, "media_type", str),
            etag=None if response.get("etag") is None else _member(response, "etag", str),
            content=content[start:end],
        )
        for response, (start, end) in zip(described, pairwise(ends), strict=True)
    )


def _decompressed(contents: memoryview, size: int) -> bytes:
    decompressor = zlib.decompressobj()
    try:
        # With one byte more, because otherwise the end of the stream might not be read.
        content = decompressor.decompress(contents, size + 1)
    except zlib.error as error:
        raise SnapshotError(f"it is corrupt: {error}") from None
    if len(content) != size or not decompressor.eof or decompressor.unused_data:
        raise SnapshotError("it is corrupt: the responses are not as large as its header says")
    return content


def _member(data: dict[str, Any], name: str, kind: type[T]) -> T:
    value = data.get(name)
    if type(value) is not kind:
        raise _wrong(name, value)
    return value


def _wrong(name: str, value: Any) -> SnapshotError:
    return SnapshotError(f"it is corrupt: {name} in its header is {value!r:.100}")
