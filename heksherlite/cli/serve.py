"""``heksherlite serve``: run the service."""

import logging
import signal
import threading
from pathlib import Path

import click
from platformdirs import user_data_path

from heksherlite.errors import ServiceStartError
from heksherlite.service.server import ServiceThread, listen
from heksherlite.service.storage.urls import open_database
from heksherlite.service.workers import WorkerProcesses

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8888,
    show_default=True,
    help="The port to listen on; 0 picks a free one.",
)
@click.option(
    "--database",
    metavar="URL",
    envvar="HEKSHER_DB_CONNECTION_STRING",
    show_envvar=True,
    help="Where settings and rules are kept: sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE."
    " By default a file in the user's data folder.",
)
@click.option(
    "--context-features",
    metavar="NAMES",
    envvar="HEKSHER_STARTUP_CONTEXT_FEATURES",
    show_envvar=True,
    help="The expected context features in order, separated by semicolons; missing ones are added.",
)
@click.option(
    "--workers", type=click.IntRange(1), default=1, show_default=True, help="How many processes answer requests."
)
def serve(host: str, port: int, database: str | None, context_features: str | None, workers: int) -> None:
    """Run the service until it is interrupted."""
    configure_logging()
    stop = _stop_signal()
    service: ServiceThread | WorkerProcesses
    try:
        location = database or _default_database()
        opened, listener, features = open_database(location), listen(host, port), _split(context_features)
        if workers == 1:
            service = ServiceThread(opened, listener, context_features=features)
        else:
            service = WorkerProcesses(
                location, listener, count=workers, context_features=features, set_up=configure_logging
            )
        service.start()
    except ServiceStartError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"heksherlite serves {opened.location} at {service.url}")
    # In slices, because on some systems a wait without end cannot be interrupted.
    while service.running and not stop.wait(0.5):
        continue
    failed = not service.running
    service.stop()
    if failed:
        raise click.ClickException("the service ended by itself; the log says why")


def configure_logging() -> None:
    """Log to the standard error, in this process and in the workers."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for talkative in ("alembic", "uvicorn"):
        logging.getLogger(talkative).setLevel(logging.WARNING)


def _stop_signal() -> threading.Event:
    stop = threading.Event()
    for number in _SIGNALS:
        signal.signal(number, lambda *_: stop.set())
    return stop


def _default_database() -> Path:
    return user_data_path("heksherlite", appauthor=False, ensure_exists=True) / "settings.db"


def _split(context_features: str | None) -> list[str]:
    return [name.strip() for name in (context_features or "").split(";") if name.strip()]
