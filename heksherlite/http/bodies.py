"""Response bodies of a limited size."""

import anyio
import anyio.lowlevel
import httpx

from heksherlite.http.compression import decompress


class BodyTooLargeError(ValueError):
    """A body is larger than the maximum size."""


async def read_raw_body(response: httpx.Response, max_size: int) -> bytes:
    """Return the body of a streamed response as it was sent, without decompression.

    Args:
        response: The response.
        max_size: The maximum size in bytes.

    Raises:
        BodyTooLargeError: If the body is larger.
    """
    if response.is_stream_consumed:  # by an event hook
        _check_size(len(response.content), max_size)
        return response.content
    content = bytearray()
    with anyio.CancelScope() as scope:
        async for chunk in response.aiter_raw():
            content += chunk
            if len(content) > max_size:
                # Leaving the loop would leave suspended generators of httpx behind, which trio warns about.
                scope.cancel()
    _check_size(len(content), max_size)
    return bytes(content)


async def read_body(response: httpx.Response, max_size: int) -> bytes:
    """Return the decompressed body of a streamed response.

    Args:
        response: The response.
        max_size: The maximum size in bytes, before and after decompression.

    Raises:
        BodyTooLargeError: If the body is larger.
        ValueError: If the body is not compressed as its ``Content-Encoding`` says.
    """
    was_read_by_hook = response.is_stream_consumed
    sent = await read_raw_body(response, max_size)
    coding = response.headers.get("Content-Encoding", "")
    if not coding or was_read_by_hook:
        return sent
    content = bytearray()
    for chunk in decompress(sent, coding):
        content += chunk
        _check_size(len(content), max_size)
        await anyio.lowlevel.checkpoint()
    return bytes(content)


def _check_size(size: int, max_size: int) -> None:
    if size > max_size:
        raise BodyTooLargeError(f"larger than {max_size:,} bytes")
