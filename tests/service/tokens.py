"""Tokens for tests: made in the database, as the command line does it."""

import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import anyio

from heksherlite.service.domain.authors import BY_SERVICE
from heksherlite.service.domain.tokens import Scope, new_token
from heksherlite.service.options import AccessOptions
from heksherlite.service.storage.access import AccessStore
from heksherlite.service.storage.database import Database
from heksherlite.service.storage.tokens import add_token, remove_token
from heksherlite.service.storage.urls import open_database

T = TypeVar("T")

WITH_TOKENS = AccessOptions(auth="tokens")
EVERY_SCOPE = tuple(Scope)
REFUSED = {401, 429}
"""What a token that is of no use gets: whoever tries it again and again is told to do so more slowly."""


def in_database(database_of: str | Path, work: Callable[[Database], Coroutine[Any, Any, T]]) -> T:
    """Do something in a database: that of a URL, or the SQLite file of a path."""

    async def prepare_and_work() -> T:
        database = open_database(database_of)
        await database.prepare()
        try:
            return await work(database)
        finally:
            await database.close()

    return anyio.run(prepare_and_work)


def make_token(
    database_of: str | Path,
    name: str,
    *scopes: Scope,
    setting_prefix: str = "",
    expires_at: int | None = None,
    now: float = 0,
    owner: str | None = None,
) -> str:
    text, token = new_token(
        name,
        scopes,
        now=now or time.time(),
        setting_prefix=setting_prefix,
        expires_at=expires_at,
        owner=owner,
    )
    in_database(database_of, lambda database: add_token(AccessStore(database), token, BY_SERVICE))
    return text


def make_tokens(
    database_of: str | Path, scopes: Mapping[str, Sequence[Scope]], prefixes: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """Make tokens at once, which takes less time than one by one.

    Args:
        database_of: The database.
        scopes: The scopes of each token, by its name.
        prefixes: The setting prefixes of limited tokens.
    """
    made = {
        name: new_token(name, each, now=time.time(), setting_prefix=prefixes.get(name, ""))
        for name, each in scopes.items()
    }

    async def add(database: Database) -> None:
        store = AccessStore(database)
        for _, token in made.values():
            await add_token(store, token, BY_SERVICE)

    in_database(database_of, add)
    return {name: text for name, (text, _) in made.items()}


def revoke_token(path: Path, name: str) -> bool:
    return in_database(path, lambda database: remove_token(AccessStore(database), name, BY_SERVICE))
