"""``heksherlite beacon`` and ``discover``: announce endpoints on the local network, and find them."""

import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Final

import click

from heksherlite.grants.remote.messages import BEACON_PORT

_PORT: Final = click.option(
    "--port", type=click.IntRange(1, 65535), default=BEACON_PORT, show_default=True, help="The UDP port of the beacons."
)


@click.command()
@click.argument("url")
@click.option(
    "--interface",
    "interfaces",
    metavar="NAME",
    multiple=True,
    help="A network interface, such as eth0. Repeat the option for several. By default all that are up.",
)
@click.option(
    "--interval",
    type=click.FloatRange(min=0.1),
    default=1,
    show_default=True,
    help="The time between two beacons, in seconds.",
)
@_PORT
def beacon(url: str, interfaces: Sequence[str], interval: float, port: int) -> None:
    """Announce an endpoint on the local network.

    Programs on the network find the endpoint at URL by its beacons. The command runs until it is interrupted.
    """
    import logging

    import anyio

    from heksherlite.grants.remote.beacon import advertise, encode_beacon

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        encode_beacon(url)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="URL") from error
    addresses = broadcast_addresses(interfaces)
    click.echo(f"Sending beacons for {url} to {', '.join(addresses)}, port {port}")
    with suppress(KeyboardInterrupt):
        anyio.run(partial(advertise, url, addresses, port=port, interval=interval))


@click.command()
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=5,
    show_default=True,
    help="How long to listen, in seconds.",
)
@click.option("--address", default="", help="The address to listen on. By default all.")
@_PORT
def discover(timeout: float, address: str, port: int) -> None:
    """List the endpoints that are announced on the local network."""
    import anyio

    try:
        found = anyio.run(_discover, timeout, address, port)
    except OSError as error:
        raise click.ClickException(f"cannot listen for beacons on UDP port {port}: {error.strerror}") from error
    if not found:
        raise click.ClickException(f"no endpoint was announced within {timeout:g} seconds")


async def _discover(seconds: float, address: str, port: int) -> list[str]:
    import anyio

    from heksherlite.errors import DiscoveryError
    from heksherlite.grants.remote.beacon import listen_for_beacons
    from heksherlite.grants.remote.discovery import fetch_endpoint
    from heksherlite.http.endpoint_client import endpoint_client
    from heksherlite.http.urls import printable

    found: list[str] = []
    seen: set[str] = set()
    with listen_for_beacons(address=address, port=port) as beacons:
        async with endpoint_client(None, seconds) as http:

            async def look_up(url: str) -> None:
                try:
                    endpoint = await fetch_endpoint(http, url, with_slash=True)
                except DiscoveryError as error:
                    click.echo(f"{url}: not an endpoint: {error.reason}", err=True)
                else:
                    found.append(url)
                    texts = (url, printable(endpoint.name), printable(endpoint.description))
                    click.echo("  ".join(filter(None, texts)))

            with anyio.move_on_after(seconds):
                async with anyio.create_task_group() as tasks:
                    async for url in beacons:
                        if url not in seen:
                            seen.add(url)
                            tasks.start_soon(look_up, url)
    return found


def announce_in_background(url: str, addresses: Sequence[str], port: int = BEACON_PORT) -> None:
    """Send beacons in a thread until the process ends."""
    import anyio

    from heksherlite.grants.remote.beacon import advertise

    send = partial(anyio.run, partial(advertise, url, addresses, port=port))
    threading.Thread(target=send, name="heksherlite-beacon", daemon=True).start()


def broadcast_addresses(interfaces: Sequence[str]) -> list[str]:
    """Return the broadcast addresses of network interfaces, by default of all that are up.

    Raises:
        ClickException: If psutil is not installed, or an interface does not exist.
    """
    from ipaddress import IPv4Interface

    try:
        import psutil
    except ModuleNotFoundError:
        raise click.ClickException(
            "this command needs psutil, which is not installed: pip install 'heksherlite[login]'"
        ) from None

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
                f"no interface {name!r} is up with an IPv4 address; those that are: {', '.join(usable) or 'none'}",
                param_hint="--interface",
            )
    return [address for name in (interfaces or usable) for address in addresses[name]]
