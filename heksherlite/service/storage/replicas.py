"""The processes of the service that use one database server, as their connections name them."""

import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from heksherlite._version import __version__

_LONGEST_NAME: Final = 63
"""The longest application name that PostgreSQL keeps, in bytes."""

SELECT_REPLICAS: Final = r"""
    SELECT application_name, host(client_addr), count(*), min(backend_start)
    FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'heksherlite %@%'
    GROUP BY application_name, client_addr
    ORDER BY min(backend_start)
"""


@dataclass(frozen=True, slots=True)
class Replica:
    """A process of the service.

    Attributes:
        machine: The name of its machine.
        process: The number of the process.
        version: The version of heksherlite.
        address: The address from which it connects; None for a socket of the same machine.
        connections: The number of its connections.
        connected_at: When the oldest of them was opened.
    """

    machine: str
    process: int
    version: str
    address: str | None
    connections: int
    connected_at: datetime

    @property
    def is_this_process(self) -> bool:
        """Whether it is the process that asks."""
        return self.process == os.getpid() and self.machine == _machine()


def application_name() -> str:
    """Return the name that the connections of this process have in ``pg_stat_activity``."""
    return f"heksherlite {__version__} {os.getpid()}@{_machine()}"


def replicas_in(rows: Iterable[tuple[Any, ...]]) -> list[Replica]:
    """Return the processes in the rows that `SELECT_REPLICAS` selects."""
    found = []
    for name, address, connections, connected_at in rows:
        _, version, place = name.split(" ", 2)
        process, _, machine = place.partition("@")
        if process.isdigit():
            found.append(Replica(machine, int(process), version, address, connections, connected_at))
    return found


def _machine() -> str:
    name = platform.node().encode("ascii", "replace").decode().replace(" ", "-")
    taken = len(f"heksherlite {__version__} {os.getpid()}@")
    return name[: _LONGEST_NAME - taken]
