"""Decompression of responses, in pieces, so that a small one cannot become a huge one unnoticed."""

import io
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Final

_PIECE: Final = 1 << 18
_SLICE: Final = 1 << 14
"""How many bytes zlib gets at once. What it does not take of them is copied each time."""

_GZIP: Final = 16 + zlib.MAX_WBITS


def _gunzip(data: bytes) -> Iterator[bytes]:
    decompressor = zlib.decompressobj(_GZIP)
    for start in range(0, len(data), _SLICE):
        rest = data[start : start + _SLICE]
        while rest:
            if decompressor.eof:  # a gzip file may have several members
                decompressor = zlib.decompressobj(_GZIP)
            yield decompressor.decompress(rest, _PIECE)
            rest = decompressor.unused_data if decompressor.eof else decompressor.unconsumed_tail
    while piece := decompressor.decompress(b"", _PIECE):
        yield piece
    if data and not decompressor.eof:
        raise ValueError("the compressed data was cut off")


DECOMPRESSORS: Mapping[str, Callable[[bytes], Iterator[bytes]]] = {"gzip": _gunzip}
"""What decompresses, by content coding, the best first."""

_MALFORMED: tuple[type[Exception], ...] = (zlib.error,)

try:
    from zstandard import ZstdDecompressor, ZstdError
except ModuleNotFoundError:
    pass
else:

    def _unzstd(data: bytes) -> Iterator[bytes]:
        reader = ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True)
        while piece := reader.read(_PIECE):
            yield piece

    DECOMPRESSORS = {"zstd": _unzstd, **DECOMPRESSORS}
    _MALFORMED = (zlib.error, ZstdError)


def decompressed(data: bytes, codings: str) -> Iterator[bytes]:
    """Yield the content of a body, in pieces of at most 256 kB.

    Args:
        data: The body as it was sent.
        codings: The ``Content-Encoding`` that it was sent with, empty for none.

    Raises:
        ValueError: If it is not in this coding, or the coding is not one of :data:`DECOMPRESSORS`.
    """
    coding = codings.strip().lower()
    if coding in ("", "identity"):
        yield data
        return
    decompress = DECOMPRESSORS.get(coding)
    if decompress is None:
        raise ValueError(f"its content coding is {coding!r}, and only {', '.join(DECOMPRESSORS)} were asked for")
    try:
        yield from decompress(data)
    except _MALFORMED as error:
        raise ValueError(f"not in the content coding {coding!r}: {error}") from None
