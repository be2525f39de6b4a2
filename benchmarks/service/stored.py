"""Writes through the store, without HTTP."""

import asyncio
from functools import partial
from types import TracebackType
from typing import Self

from heksherlite.service.domain import context_features, declarations, rules
from heksherlite.service.domain.differences import Shape
from heksherlite.service.domain.versions import INITIAL
from heksherlite.service.storage.store import Store
from heksherlite.service.storage.urls import open_database
from heksherlite.values.wire_types import INT


class StoreWriter:
    """Adds rules to a database, within a block.

    Args:
        url: An empty database.
    """

    def __init__(self, url: str) -> None:
        self._runner = asyncio.Runner()
        self._database = open_database(url)
        self._store = Store(self._database)

    def __enter__(self) -> Self:
        self._runner.run(self._prepare())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.run(self._store.close())
        self._runner.close()

    def write(self, number: int) -> None:
        """Add a rule."""
        values = {"user": f"u{number}"}
        add = partial(rules.add, setting_name="ttl", feature_values=values, value=number, metadata={})
        self._runner.run(self._store.write(add))

    async def _prepare(self) -> None:
        await self._database.prepare()
        await self._store.load()
        await self._store.write(partial(context_features.expect, expected=["user"]))
        shape = Shape("ttl", frozenset({"user"}), INT, 0, {})
        declaration = declarations.Declaration(shape, INITIAL)
        await self._store.write(partial(declarations.declare, declaration=declaration))
