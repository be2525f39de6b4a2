"""Where a program's configuration comes from: the environment, a file, or both. Synchronous and asynchronous.

Needs ``heksherlite[yaml,models]``.
"""

import asyncio
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from heksherlite.grants import (
    EnvGrant,
    FailsafeGrant,
    Fakts,
    GroupNotFound,
    ParallelGrant,
    YamlGrant,
    get_current_fakts,
)


@dataclass
class Database:
    """What the program wants to know about its database."""

    host: str
    port: int
    pool_size: int = 5


def connect() -> str:
    """Return where to connect. Somewhere deep in a program, which need not hand the loader down."""
    database = get_current_fakts().get("database", into=Database)
    return f"{database.host}:{database.port}, {database.pool_size} connections"


def main(folder: Path) -> None:
    """Show grants in synchronous code."""
    config = folder / "config.yaml"
    config.write_text("database:\n  host: db.local\n  port: 5432\n")

    print("1. The environment if it says anything, and otherwise the file:")
    with Fakts(FailsafeGrant([EnvGrant(), YamlGrant(config)])):
        print("   ", connect())

    os.environ["FAKTS_DATABASE__POOL_SIZE"] = "20"
    print("2. Both, where the environment overrides single values of the file:")
    with Fakts(ParallelGrant([YamlGrant(config), EnvGrant(required=False)])) as fakts:
        print("   ", connect())
        try:
            fakts.get("databse")
        except GroupNotFound as error:
            print("   ", error)


async def amain(folder: Path) -> None:
    """Show the same in asynchronous code, where many tasks share one load."""
    print("3. Three tasks at once, one load:")
    async with Fakts(ParallelGrant([YamlGrant(folder / "config.yaml"), EnvGrant(required=False)])) as fakts:
        print("   ", await asyncio.gather(*(fakts.aget("database.host") for _ in range(3))))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        main(Path(name))
        asyncio.run(amain(Path(name)))
