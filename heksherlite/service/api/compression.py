"""Compression of large answers: gzip, and zstd where the ``zstandard`` package is installed."""

import gzip
from collections.abc import Callable, Mapping
from typing import Final

SMALLEST: Final = 8192
"""From how many bytes on an answer is compressed."""


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=3, mtime=0)


CODECS: Mapping[str, Callable[[bytes], bytes]] = {"gzip": _gzip}
"""What compresses, by content coding, the best first."""

try:
    from zstandard import ZstdCompressor
except ModuleNotFoundError:
    pass
else:

    def _zstd(body: bytes) -> bytes:
        return ZstdCompressor().compress(body)

    CODECS = {"zstd": _zstd, **CODECS}


def accepted_coding(accept_encoding: str) -> str | None:
    """Return the content coding to use for a client that sent this ``Accept-Encoding``, or None for none."""
    accepted = {}
    for item in accept_encoding.lower().split(","):
        coding, _, quality = item.partition(";")
        accepted[coding.strip()] = quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return next((coding for coding in CODECS if accepted.get(coding, accepted.get("*", False))), None)
