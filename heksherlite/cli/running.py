"""Runs a service until it is told to stop, for `heksherlite serve`."""

import signal
import threading
from collections.abc import Callable
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import click

from heksherlite.cli.administration import Administration
from heksherlite.cli.first_token import deliver_first_token
from heksherlite.cli.logs import configure_logging
from heksherlite.errors import ServiceStartError
from heksherlite.service.connections import inherited_listener, listen, listen_unix, raise_file_limit
from heksherlite.service.domain.tokens import public_prefix
from heksherlite.service.options import ServiceOptions
from heksherlite.service.server import ServiceThread, start_alone
from heksherlite.service.storage.urls import open_database
from heksherlite.service.workers import WorkerProcesses

if TYPE_CHECKING:
    import socket

    from heksherlite.cli.logs import LogFormat

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

Service: TypeAlias = ServiceThread | WorkerProcesses


def run_service(
    location: str | Path,
    make_options: Callable[[], ServiceOptions],
    *,
    address: str | tuple[str, int],
    workers: int,
    log_format: "LogFormat",
    first_token_file: Path | None,
    beacon: bool = False,
) -> None:
    """Run a service until a signal arrives.

    Args:
        location: The URL of the database, or the path of a SQLite file.
        make_options: Returns the options of the service, or raises ValueError.
        address: The path of a Unix domain socket, or host and port.
        workers: The number of processes.
        log_format: The format of the log.
        first_token_file: Where the first token is written; None chooses the place.
        beacon: Whether to announce the service on the local network.

    Raises:
        ClickException: The service cannot start, or ended by itself.
    """
    set_up = partial(configure_logging, log_format)
    set_up()
    stop = _stop_signal()
    try:
        options = make_options()
        announce = _announcer(address, options) if beacon else None
        opened = open_database(location)
        listener = inherited_listener(options.access) or _listener(address, options)
        raise_file_limit()
        service: Service
        if workers == 1:
            service = ServiceThread(opened, listener, options, alone=True)
        else:
            service = WorkerProcesses(location, listener, options, count=workers, set_up=set_up)
        start_alone(service.start)
    except (ServiceStartError, OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Serving {opened.location} at {service.url}")
    _deliver_first_token(service, location, first_token_file)
    if options.public_url is not None or not isinstance(address, str):
        click.echo(f"The console is at {options.public_url or service.url}/console/")
    if announce is not None:
        announce(service.url)
    _wait(service, stop)


def _announcer(address: str | tuple[str, int], options: ServiceOptions) -> Callable[[str], None]:
    """Return a function that announces a service with this URL, unless it has another public one.

    Raises:
        ValueError: If other machines cannot use the URL.
        ClickException: If psutil is not installed, which knows the networks.
    """
    from heksherlite.cli.beacons import announce_in_background, broadcast_addresses

    host = "" if isinstance(address, str) else address[0]
    if options.public_url is None and not _is_reachable(host):
        raise ValueError("--beacon needs --public-url, or a --host that other machines can reach")
    addresses = broadcast_addresses(())

    def announce(url: str) -> None:
        url = options.public_url or url
        announce_in_background(url, addresses)
        click.echo(f"Sending beacons for {url} to {', '.join(addresses)}")

    return announce


def _is_reachable(host: str) -> bool:
    """Return whether a host is the name or address of this machine for others."""
    from heksherlite.http.urls import is_loopback

    try:
        is_unspecified = ip_address(host).is_unspecified
    except ValueError:
        is_unspecified = False
    return bool(host) and not is_unspecified and not is_loopback(f"http://{host}")


def _listener(address: str | tuple[str, int], options: ServiceOptions) -> "socket.socket":
    return listen_unix(address) if isinstance(address, str) else listen(*address, options.access)


def _deliver_first_token(service: Service, location: str | Path, file: Path | None) -> None:
    if service.first_token is None:
        return
    try:
        click.echo(deliver_first_token(service.first_token, file))
    except OSError as error:
        service.stop()
        Administration(str(location)).revoke_token(public_prefix(service.first_token))
        raise click.ClickException(f"cannot write the first token: {error}; it was revoked") from error


def _wait(service: Service, stop: threading.Event) -> None:
    # In slices, because on some systems a wait without end cannot be interrupted.
    while service.running and not stop.wait(0.5):
        continue
    failed = not service.running
    service.stop()
    if failed:
        raise click.ClickException("the service ended unexpectedly; see the log for the reason")


def _stop_signal() -> threading.Event:
    stop = threading.Event()
    for number in _SIGNALS:
        signal.signal(number, lambda *_: stop.set())
    return stop
