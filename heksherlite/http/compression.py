"""Decompression in chunks, so that callers can limit the size of the result."""

import io
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Final

_CHUNK: Final = 1 << 18
_INPUT_SLICE: Final = 1 << 14
"""The number of bytes that zlib gets at once. It copies the bytes that it does not consume."""

_GZIP: Final = 16 + zlib.MAX_WBITS


def _gunzip(data: bytes) -> Iterator[bytes]:
    decompressor = zlib.decompressobj(_GZIP)
    for start in range(0, len(data), _INPUT_SLICE):
        rest = data[start : start + _INPUT_SLICE]
        while rest:
            if decompressor.eof:  # a gzip file may have several members
                decompressor = zlib.decompressobj(_GZIP)
            yield decompressor.decompress(rest, _CHUNK)
            rest = decompressor.unused_data if decompressor.eof else decompressor.unconsumed_tail
    while chunk := decompressor.decompress(b"", _CHUNK):
        yield chunk
    if data and not decompressor.eof:
        raise ValueError("the compressed data is truncated")


DECOMPRESSORS: Mapping[str, Callable[[bytes], Iterator[bytes]]] = {"gzip": _gunzip}
"""The decompressors by content coding, the preferred one first."""

_MALFORMED: tuple[type[Exception], ...] = (zlib.error,)

try:
    from zstandard import ZstdDecompressor, ZstdError
except ModuleNotFoundError:
    pass
else:

    def _unzstd(data: bytes) -> Iterator[bytes]:
        reader = ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True)
        while chunk := reader.read(_CHUNK):
            yield chunk

    DECOMPRESSORS = {"zstd": _unzstd, **DECOMPRESSORS}
    _MALFORMED = (zlib.error, ZstdError)


def decompress(data: bytes, codings: str) -> Iterator[bytes]:
    """Yield the content of a body in chunks of at most 256 KiB.

    Args:
        data: The body as it was sent.
        codings: Its ``Content-Encoding`` header, or an empty string.

    Raises:
        ValueError: If the data is malformed, or the coding is not one of :data:`DECOMPRESSORS`.
    """
    coding = codings.strip().lower()
    if coding in ("", "identity"):
        yield data
        return
    decompressor = DECOMPRESSORS.get(coding)
    if decompressor is None:
        raise ValueError(f"the content coding {coding!r} is not one of those accepted: {', '.join(DECOMPRESSORS)}")
    try:
        yield from decompressor(data)
    except _MALFORMED as error:
        raise ValueError(f"malformed data in the content coding {coding!r}: {error}") from None
