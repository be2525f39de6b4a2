"""The version of a response, which tells it from an earlier response to the same query."""

from typing import Final, TypeAlias

from heksherlite.engine.messages import CHECKPOINT, Flow, Response

Version: TypeAlias = str | tuple[str, int, tuple[int, ...]]
"""The tag of a response, or what stands for its body if the service sent no usable tag.

That is its media type, its length and a hash of each piece: keyed ones of 64 bits (SipHash, PEP 456), which no other
process has to understand.
"""

_PIECE: Final = 1 << 20


def version_of(response: Response) -> Flow[Version]:
    """Return the version of a response, with checkpoints in between."""
    if response.etag is not None:
        return response.etag
    content = memoryview(response.content)
    hashes = []
    for start in range(0, len(content), _PIECE):
        hashes.append(hash(content[start : start + _PIECE]))
        yield CHECKPOINT
    return response.media_type, len(content), tuple(hashes)


def tag_in(version: Version | None) -> str | None:
    """Return the version if it is a tag, or ``None``."""
    return version if isinstance(version, str) else None
