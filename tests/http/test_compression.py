"""Decompression of responses in chunks of limited size."""

import gzip
import random
from collections.abc import Callable, Mapping

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from heksherlite.http import compression
from heksherlite.http.compression import decompress

PIECE = compression._CHUNK
compress: Mapping[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstandard.compress}
codings = pytest.mark.parametrize("coding", compress)


@pytest.fixture(autouse=True, scope="module")
def in_small_slices() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compression, "_INPUT_SLICE", 7)
        patch.setattr(compression, "_CHUNK", 50)
        yield


@codings
@given(parts=st.lists(st.binary(max_size=200), min_size=1, max_size=3), repeated=st.integers(1, 50))
def test_decompression_in_chunks(coding: str, parts: list[bytes], repeated: int) -> None:
    """All content is decompressed, also of several members, and no chunk is larger than the limit."""
    contents = [part * repeated for part in parts]
    pieces = list(decompress(b"".join([compress[coding](content) for content in contents]), coding))
    assert b"".join(pieces) == b"".join(contents)
    assert max(map(len, pieces), default=0) <= 50


@given(st.binary(min_size=1, max_size=200), st.data())
def test_truncated_data(content: bytes, data: st.DataObject) -> None:
    """Truncated gzip data is a ValueError."""
    whole = gzip.compress(content)
    with pytest.raises(ValueError, match="truncated"):
        list(decompress(whole[: data.draw(st.integers(1, len(whole) - 1))], "gzip"))


@codings
@given(content=st.binary(max_size=200), data=st.data())
def test_damaged_data(coding: str, content: bytes, data: st.DataObject) -> None:
    """Damaged data raises nothing but ValueError."""
    damaged = bytearray(compress[coding](content))
    damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        list(decompress(bytes(damaged), coding))
    except ValueError:
        return


@pytest.mark.parametrize("coding", ["", "identity", " Identity "])
def test_no_coding(coding: str) -> None:
    """A body without a content coding is unchanged."""
    assert list(decompress(b"{}", coding)) == [b"{}"]


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip", "x"])
def test_unknown_codings(coding: str) -> None:
    """Any other content coding is a ValueError that names it and the accepted ones."""
    with pytest.raises(ValueError, match=f"'{coding}' is not one of those accepted: .*gzip"):
        list(decompress(b"", coding))


def test_large_bodies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several megabytes are decompressed completely."""
    monkeypatch.undo()
    monkeypatch.setattr(compression, "_INPUT_SLICE", 1 << 14)
    monkeypatch.setattr(compression, "_CHUNK", PIECE)
    content = random.Random(1).randbytes(2_000_000) + bytes(5_000_000)  # noqa: S311 - any bytes
    for coding, compressing in compress.items():
        assert b"".join(decompress(compressing(content), coding)) == content
