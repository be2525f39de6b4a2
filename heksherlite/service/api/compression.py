"""Compression of large responses: gzip, and zstd if the ``zstandard`` package is installed."""

import gzip
from collections.abc import Callable, Mapping
from typing import Final

MIN_SIZE: Final = 8192
"""The minimal size of a compressed response, in bytes."""


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=3, mtime=0)


CODECS: Mapping[str, Callable[[bytes], bytes]] = {"gzip": _gzip}
"""The compressor of each content coding, in order of preference."""

try:
    from zstandard import ZstdCompressor
except ModuleNotFoundError:
    pass
else:

    def _zstd(body: bytes) -> bytes:
        return ZstdCompressor().compress(body)

    CODECS = {"zstd": _zstd, **CODECS}


def accepted_coding(accept_encoding: str) -> str | None:
    """Return the preferred content coding that an ``Accept-Encoding`` header accepts, or None."""
    accepted = {}
    for item in accept_encoding.lower().split(","):
        coding, _, quality = item.partition(";")
        accepted[coding.strip()] = quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return next((coding for coding in CODECS if accepted.get(coding, accepted.get("*", False))), None)
