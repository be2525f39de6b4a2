"""Finding an endpoint by the beacons on the local network."""

from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final

import anyio

from heksherlite.errors import DiscoveryError
from heksherlite.grants.remote.beacon import listening
from heksherlite.grants.remote.discovery import well_known
from heksherlite.grants.remote.messages import BEACON_PORT, Endpoint
from heksherlite.http.session import Session, session

_MOST: Final = 32
"""How many endpoints are asked. Anybody on the network may make some up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvertisedDiscovery:
    """The first endpoint that answers of those whose beacons are heard on the local network.

    Whoever is on that network can send beacons, and be the endpoint that answers first: use it where you would trust
    all of them.

    Args:
        timeout: Seconds to listen and to wait for answers.
        address: The address to listen at; all by default.
        port: The UDP port to listen at.
        allow_appending_slash: As for :class:`WellKnownDiscovery`.
        http_client_args: Arguments for :class:`httpx.AsyncClient`, such as ``verify``.
    """

    timeout: float = 10
    address: str = ""
    port: int = BEACON_PORT
    allow_appending_slash: bool = True
    http_client_args: Mapping[str, Any] | None = field(default=None, repr=False)

    async def adiscover(self) -> Endpoint:
        """Return the endpoint.

        Raises:
            DiscoveryError: If none answers in time; it holds what went wrong with each that was heard of.
        """
        place = f"beacons at UDP port {self.port}"
        found: list[Endpoint] = []
        causes: dict[str, DiscoveryError] = {}
        with ExitStack() as stack:
            try:
                beacons = stack.enter_context(listening(address=self.address, port=self.port))
            except OSError as error:
                raise DiscoveryError(place, f"cannot listen: {error.strerror or error}") from None
            async with session(self.http_client_args, self.timeout) as http:
                with anyio.move_on_after(self.timeout):
                    await self._ask_senders(http, beacons, found, causes)
        if found:
            return found[0]
        heard = "no endpoint answered of those that sent some:" if causes else f"none in {self.timeout:g} s"
        raise DiscoveryError(place, heard, causes.values())

    async def _ask_senders(
        self, http: Session, beacons: AsyncIterator[str], found: list[Endpoint], causes: dict[str, DiscoveryError]
    ) -> None:
        """Add the first endpoint to those found, and what went wrong with others to the causes."""

        async def ask(url: str) -> None:
            try:
                found.append(await well_known(http, url, with_slash=self.allow_appending_slash))
                tasks.cancel_scope.cancel()
            except DiscoveryError as error:
                causes[url] = error

        asked: set[str] = set()
        async with anyio.create_task_group() as tasks:
            async for url in beacons:
                if url not in asked and len(asked) < _MOST:
                    asked.add(url)
                    tasks.start_soon(ask, url)
