"""Beacons: datagrams on the local network that say where an endpoint is."""

import logging
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import anyio
import orjson

from heksherlite.grants.remote.messages import BEACON_PORT
from heksherlite.http.urls import http_url

logger = logging.getLogger(__name__)

_MAGIC: Final = b"beacon-fakts"
_LARGEST: Final = 2048
"""How many bytes of a datagram are read."""


def encode_beacon(url: str) -> bytes:
    """Return the datagram that says where an endpoint is.

    Raises:
        ValueError: If that is not an HTTP URL, or too long for a datagram.
    """
    content = _MAGIC + orjson.dumps({"url": http_url(url)})
    if len(content) > _LARGEST:
        raise ValueError(f"the URL is too long for a beacon: {len(url)} characters")
    return content


def decode_beacon(content: bytes) -> str | None:
    """Return the URL in a datagram; ``None`` if it is no beacon, for anybody may send anything."""
    if not content.startswith(_MAGIC) or len(content) > _LARGEST:
        return None
    try:
        data = orjson.loads(content.removeprefix(_MAGIC))
        url = data.get("url") if isinstance(data, dict) else None
        return http_url(url) if isinstance(url, str) else None
    except ValueError:
        return None


async def advertise(url: str, addresses: Sequence[str], *, port: int = BEACON_PORT, interval: float = 1) -> None:
    """Send beacons until it is cancelled.

    Args:
        url: Where the endpoint is.
        addresses: The broadcast addresses to send to. That one cannot be reached is logged when it begins and ends.
        port: The port to send to.
        interval: Seconds between beacons.

    Raises:
        ValueError: If the URL is not an HTTP URL.
    """
    content = encode_beacon(url)
    failing: set[str] = set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        while True:
            for address in addresses:
                try:
                    sender.sendto(content, (address, port))
                except BlockingIOError:  # what waits to be sent says the same
                    continue
                except OSError as error:
                    if address not in failing:
                        extra = {"address": address, "reason": error.strerror or str(error)}
                        logger.warning("beacon cannot be sent", extra=extra)
                    failing.add(address)
                else:
                    if address in failing:
                        logger.info("beacon can be sent again", extra={"address": address})
                    failing.discard(address)
            await anyio.sleep(interval)


@contextmanager
def listening(*, address: str = "", port: int = BEACON_PORT) -> Iterator[AsyncIterator[str]]:
    """Hear beacons during the block: iterate over the URLs in them, as they arrive, for as long as you like.

    Args:
        address: The address to listen at; all by default.
        port: The port to listen at. Several programs may do so at the same time.

    Raises:
        OSError: If that is not possible.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.setblocking(False)
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        receiver.bind((address, port))
        yield _Beacons(receiver)


class _Beacons:
    """The URLs in beacons that a socket receives."""

    def __init__(self, receiver: socket.socket) -> None:
        self._receiver = receiver

    def __aiter__(self) -> "_Beacons":
        return self

    async def __anext__(self) -> str:
        while True:
            await anyio.wait_readable(self._receiver)
            try:
                content = self._receiver.recv(_LARGEST + 1)
            except OSError:  # a datagram that was dropped in between, or one that could not be delivered earlier
                continue
            if (url := decode_beacon(content)) is not None:
                return url
