"""Sends the same request again and again: ``load.py HOST PORT REQUEST STATUS SECONDS`` prints seconds per response.

The first response must have the status. Its length is the length of all others. Nothing else is looked at, so that this
costs little beside what is measured.
"""

import asyncio
import sys
import time
from functools import partial

CONNECTIONS = 8


class _Connection(asyncio.Protocol):
    def __init__(self, request: bytes, size: int, until: float) -> None:
        self.responses = 0
        self.ended = asyncio.get_running_loop().create_future()
        self._request = request
        self._size = size
        self._until = until
        self._missing = size
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._missing -= len(data)
        if self._missing > 0:
            return
        assert self._missing == 0
        self.responses += 1
        self._missing = self._size
        if time.perf_counter() < self._until:
            self._transport.write(self._request)
        else:
            self._transport.close()
            self.ended.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(exc or ConnectionError("the service closed the connection"))


async def _size_of_response(host: str, port: int, request: bytes, status: int) -> int:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), head
    fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:] if line)
    writer.close()
    return len(head) + int(fields.get(b"content-length", b"0"))


def _itself(connection: _Connection) -> _Connection:
    return connection


async def _main(host: str, port: int, request: bytes, status: int, seconds: float) -> None:
    size = await _size_of_response(host, port, request, status)
    start = time.perf_counter()
    connections = [_Connection(request, size, start + seconds) for _ in range(CONNECTIONS)]
    for connection in connections:
        await asyncio.get_running_loop().create_connection(partial(_itself, connection), host, port)
    await asyncio.gather(*[connection.ended for connection in connections])
    print((time.perf_counter() - start) / sum(connection.responses for connection in connections))


asyncio.run(_main(sys.argv[1], int(sys.argv[2]), sys.argv[3].encode(), int(sys.argv[4]), float(sys.argv[5])))
