"""How long the pages of the console take with 10,000 settings and 1,000,000 rules, and how large they are.

The catalog is made in memory, and the application is called in this process without a network. Times are of the
processor until the page is sent, so that other programs on the machine do not count. The first page of all is shown
as it is directly after the start, and as it is when the service has prepared it. Run it with
``python -m benchmarks.service.console``; ``--settings 1000`` makes a smaller catalog.
"""

import argparse
import asyncio
import gc
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from heksherlite.service.app import create_app
from heksherlite.service.console import rendering
from heksherlite.service.console.preparing import prepare_pages
from heksherlite.service.domain.catalog import Changes
from heksherlite.service.domain.entities import Rule, Setting
from heksherlite.service.domain.versions import INITIAL
from heksherlite.service.storage.sqlite import SqliteDatabase
from heksherlite.service.storage.store import Store
from heksherlite.values.wire_types import INT

RULES_PER_SETTING = 100
FEATURES = ("environment", "customer", "user")
ENVIRONMENTS = ("dev", "test", "staging", "prod")
REPETITIONS = 15

SEARCH = "/console/?q=user%3Du99"

PAGES = {
    "start": "/console/",
    "start, with a context": "/console/?c.environment=prod&c.customer=c1&c.user=u17",
    "search for a name": "/console/?q=setting_0042",
    "search for a condition": SEARCH,
    "last page": "/console/?page=200",
    "filter": "/console/?has=scheduled",
    "setting": "/console/settings/group_07.setting_0007?c.environment=prod",
    "edit": "/console/settings/group_07.setting_0007/edit",
    "draft": "/console/draft",
    "explain one": "/console/explain?settings=group_07.setting_0007&c.environment=prod&c.user=u17",
    "compare": "/console/compare?feature=environment&left=staging&right=prod",
    "compare contexts": "/console/compare/contexts?c.environment=prod&c.customer=c1&d.environment=prod&d.customer=c2",
    "features": "/console/features",
    "history": "/console/history",
    "value over time": "/console/history?setting=group_07.setting_0007&c.environment=prod&c.customer=c1&c.user=u17",
    "proposals": "/console/proposals",
    "help": "/console/help",
    "service": "/console/service",
}


def catalog_changes(count: int) -> Changes:
    """Return the changes that make a catalog with some settings."""
    features = frozenset(FEATURES)
    settings: list[Setting] = []
    rules: list[Rule] = []
    for number in range(1, count + 1):
        name = f"group_{number % 100:02}.setting_{number:04}"
        metadata = {"description": f"What setting {number} is for."}
        settings.append(Setting(number, name, INT, 60, features, INITIAL, metadata, frozenset(), 1))
        for index in range(RULES_PER_SETTING):
            conditions = (
                ("customer", f"c{index % 10}"),
                ("environment", ENVIRONMENTS[index % 4]),
                ("user", f"u{index}"),
            )
            shape = 1 + index % 3
            rules.append(Rule(len(rules) + 1, number, conditions[3 - shape :], index, {}))
    return Changes(FEATURES, tuple(settings), tuple(rules))


class Timed:
    """An application that notes when the last part of each response is sent; work after that is not of the page."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self._app = app
        self._sent = 0.0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""

        async def note(message: Any) -> None:
            await send(message)
            if not message.get("more_body"):
                self._sent = time.process_time()

        await self._app(scope, receive, note)

    async def get(self, path: str) -> tuple[float, int]:
        """Return the milliseconds until a page is sent, and its size in bytes."""
        transport = httpx.ASGITransport(self, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            began = time.process_time()
            response = await client.get(path)
            return 1000 * (self._sent - began), len(response.raise_for_status().content)


async def measure(settings: int) -> None:
    """Print a line for each page."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(SqliteDatabase(Path(folder, "a.db")))
        await store._database.prepare()
        await store.load()
        changes = catalog_changes(settings)
        store.catalog = store.catalog.after(changes, store.catalog.counters_after(changes))
        gc.collect()
        gc.freeze()  # as ``heksherlite serve`` does
        for name, path in (("start page", "/console/"), ("search", SEARCH)):
            rendering._environment.cache_clear()
            print(f"first of all, {name}: {(await Timed(create_app(store)).get(path))[0]:.1f}")
        rendering._environment.cache_clear()
        app = create_app(store)
        began = time.process_time()
        await prepare_pages(app, delay=0, until=asyncio.Event())
        print(f"preparation after the start: {1000 * (time.process_time() - began):.1f}")
        timed = Timed(app)
        print(f"{'page':<24} {'first':>8} {'median':>8} {'worst':>8}   KiB")
        for name, path in PAGES.items():
            (first, size), *others = [await timed.get(path) for _ in range(1 + REPETITIONS)]
            times = [each for each, _ in others]
            print(f"{name:<24} {first:8.1f} {statistics.median(times):8.1f} {max(times):8.1f} {size / 1024:5.0f}")
        await store.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=int, default=10_000, help="how many settings there are, of 100 rules each")
    asyncio.run(measure(parser.parse_args().settings))
