"""The version of a response, which tells it from an earlier response to the same query."""

from hashlib import blake2b
from typing import Final, TypeAlias

from heksherlite.engine.messages import CHECKPOINT, Flow, Response

Version: TypeAlias = str | bytes
"""The tag of a response, or a digest of its body if the service sent no usable tag."""

_PIECE: Final = 1 << 20


def version_of(response: Response) -> Flow[Version]:
    """Return the version of a response, with checkpoints in between."""
    if response.etag is not None:
        return response.etag
    digest = blake2b(response.media_type.encode())
    for start in range(0, len(response.content), _PIECE):
        digest.update(memoryview(response.content)[start : start + _PIECE])
        yield CHECKPOINT
    return digest.digest()


def tag_in(version: Version | None) -> str | None:
    """Return the version if it is a tag, or ``None``."""
    return version if isinstance(version, str) else None
