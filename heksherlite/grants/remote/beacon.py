"""Beacons: UDP datagrams on the local network that contain the URL of an endpoint."""

import logging
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import anyio
import orjson

from heksherlite.grants.remote.messages import BEACON_PORT
from heksherlite.http.urls import http_url

logger = logging.getLogger(__name__)

_MAGIC: Final = b"beacon-fakts"
_MAX_SIZE: Final = 2048
"""The maximum size of a beacon in bytes."""


def encode_beacon(url: str) -> bytes:
    """Return the beacon of an endpoint.

    Raises:
        ValueError: If the URL is not an HTTP URL, or too long for a beacon.
    """
    content = _MAGIC + orjson.dumps({"url": http_url(url)})
    if len(content) > _MAX_SIZE:
        raise ValueError(f"the URL is too long for a beacon: {len(url)} characters")
    return content


def decode_beacon(content: bytes) -> str | None:
    """Return the URL in a datagram, or ``None`` if the datagram is not a beacon.

    A URL without a scheme means HTTPS.
    """
    if not content.startswith(_MAGIC) or len(content) > _MAX_SIZE:
        return None
    try:
        data = orjson.loads(content.removeprefix(_MAGIC))
        url = data.get("url") if isinstance(data, dict) else None
        if not isinstance(url, str):
            return None
        return http_url(url if "://" in url else f"https://{url}")
    except ValueError:
        return None


async def advertise(url: str, addresses: Sequence[str], *, port: int = BEACON_PORT, interval: float = 1) -> None:
    """Send beacons until cancelled.

    Args:
        url: The URL of the endpoint.
        addresses: The broadcast addresses. If one of them is unreachable, this is logged when it begins and ends.
        port: The destination port.
        interval: The time between beacons in seconds.

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
                except BlockingIOError:  # the beacons in the send buffer are the same
                    continue
                except OSError as error:
                    if address not in failing:
                        reason = error.strerror or str(error)
                        extra = {"address": address, "reason": reason}
                        logger.warning("beacon cannot be sent: %s: %s", address, reason, extra=extra)
                    failing.add(address)
                else:
                    if address in failing:
                        logger.info("beacon can be sent again: %s", address, extra={"address": address})
                    failing.discard(address)
            await anyio.sleep(interval)


@contextmanager
def listen_for_beacons(*, address: str = "", port: int = BEACON_PORT) -> Iterator[AsyncIterator[str]]:
    """Return a context manager for an endless asynchronous iterator over the URLs in received beacons.

    Args:
        address: The address to listen on. The default is all addresses.
        port: The port to listen on. Several programs can listen on it at the same time.

    Raises:
        OSError: If listening is not possible.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.setblocking(False)
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        receiver.bind((address, port))
        yield _BeaconReceiver(receiver)


async def alisten(*, address: str = "", port: int = BEACON_PORT) -> AsyncGenerator[str, None]:
    """Yield the URLs in received beacons, without an end. Anybody on the network can send beacons.

    Use it in ``async with contextlib.aclosing(alisten()) as urls``, so that it stops to listen after the loop.

    Args:
        address: The address to listen on. The default is all addresses.
        port: The port to listen on. Several programs can listen on it at the same time.

    Raises:
        OSError: If listening is not possible.
    """
    with listen_for_beacons(address=address, port=port) as beacons:
        async for url in beacons:
            yield url


class _BeaconReceiver:
    """Iterates over the URLs in the beacons that a socket receives."""

    def __init__(self, receiver: socket.socket) -> None:
        self._receiver = receiver

    def __aiter__(self) -> "_BeaconReceiver":
        return self

    async def __anext__(self) -> str:
        while True:
            await anyio.wait_readable(self._receiver)
            try:
                content = self._receiver.recv(_MAX_SIZE + 1)
            except OSError:  # the datagram was dropped meanwhile, or an earlier one could not be delivered
                continue
            if (url := decode_beacon(content)) is not None:
                return url
            if content.startswith(_MAGIC):
                logger.debug("malformed beacon ignored: %r", content[:200])
