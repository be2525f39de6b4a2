"""``heksherlite beacon`` and ``discover``: endpoints that say where they are on the local network."""

import logging
import socket
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from ipaddress import IPv4Interface
from typing import Final

import anyio
import click
import psutil

from heksherlite.errors import DiscoveryError
from heksherlite.grants.remote.beacon import BEACON_PORT, advertise, encode_beacon, listen_for_beacons
from heksherlite.grants.remote.discovery import fetch_endpoint
from heksherlite.http.endpoint_client import endpoint_client
from heksherlite.http.urls import printable

_PORT: Final = click.option(
    "--port", type=click.IntRange(1, 65535), default=BEACON_PORT, show_default=True, help="The UDP port of beacons."
)


@click.command()
@click.argument("url")
@click.option(
    "--interface",
    "interfaces",
    metavar="NAME",
    multiple=True,
    help="A network interface, such as eth0; may be given several times. By default all that are up.",
)
@click.option(
    "--interval",
    type=click.FloatRange(min=0.1),
    default=1,
    show_default=True,
    help="Seconds between beacons.",
)
@_PORT
def beacon(url: str, interfaces: Sequence[str], interval: float, port: int) -> None:
    """Tell programs on the local network that there is an endpoint at URL, until it is interrupted."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        encode_beacon(url)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="URL") from error
    addresses = _broadcast_addresses(interfaces)
    click.echo(f"heksherlite sends beacons for {url} to {', '.join(addresses)}, port {port}")
    with suppress(KeyboardInterrupt):
        anyio.run(partial(advertise, url, addresses, port=port, interval=interval))


@click.command()
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=5,
    show_default=True,
    help="Seconds to listen.",
)
@click.option("--address", default="", help="The address to listen at. By default all.")
@_PORT
def discover(timeout: float, address: str, port: int) -> None:
    """List the endpoints whose beacons are heard on the local network."""
    try:
        found = anyio.run(_discover, timeout, address, port)
    except OSError as error:
        raise click.ClickException(f"cannot listen for beacons at UDP port {port}: {error.strerror}") from error
    if not found:
        raise click.ClickException(f"no endpoint was heard in {timeout:g} seconds")


async def _discover(seconds: float, address: str, port: int) -> list[str]:
    found: list[str] = []
    heard: set[str] = set()
    with listen_for_beacons(address=address, port=port) as beacons:
        async with endpoint_client(None, seconds) as http:

            async def ask(url: str) -> None:
                try:
                    endpoint = await fetch_endpoint(http, url, with_slash=True)
                except DiscoveryError as error:
                    click.echo(f"{url}: no endpoint: {error.reason}", err=True)
                else:
                    found.append(url)
                    texts = (url, printable(endpoint.name), printable(endpoint.description))
                    click.echo("  ".join(filter(None, texts)))

            with anyio.move_on_after(seconds):
                async with anyio.create_task_group() as tasks:
                    async for url in beacons:
                        if url not in heard:
                            heard.add(url)
                            tasks.start_soon(ask, url)
    return found


def _broadcast_addresses(interfaces: Sequence[str]) -> list[str]:
    up = {name for name, state in psutil.net_if_stats().items() if state.isup}
    addresses = {
        name: [
            str(IPv4Interface(f"{entry.address}/{entry.netmask}").network.broadcast_address)
            for entry in entries
            if entry.family == socket.AF_INET and entry.netmask
        ]
        for name, entries in psutil.net_if_addrs().items()
        if name in up
    }
    usable = sorted(name for name, own in addresses.items() if own)
    for name in interfaces:
        if name not in usable:
            raise click.BadParameter(
                f"{name!r} is not an interface that is up and has an IPv4 address: {', '.join(usable) or 'none is'}",
                param_hint="--interface",
            )
    return [address for name in (interfaces or usable) for address in addresses[name]]
