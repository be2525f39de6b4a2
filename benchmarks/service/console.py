"""How long the pages of the console take with 10,000 settings and 1,000,000 rules, and how large they are.

The catalog is made in memory, and the application is called in this process without a network. Times are of the
processor, so that other programs on the machine do not count. Run it with ``python -m benchmarks.service.console``.
"""

import asyncio
import gc
import statistics
import tempfile
import time
from pathlib import Path

import httpx

from heksherlite.service.app import create_app
from heksherlite.service.domain.catalog import Changes
from heksherlite.service.domain.entities import Rule, Setting
from heksherlite.service.domain.versions import INITIAL
from heksherlite.service.storage.sqlite import SqliteDatabase
from heksherlite.service.storage.store import Store
from heksherlite.values.wire_types import INT

SETTINGS = 10_000
RULES_PER_SETTING = 100
FEATURES = ("environment", "customer", "user")
ENVIRONMENTS = ("dev", "test", "staging", "prod")
REPETITIONS = 15

PAGES = {
    "start": "/console/",
    "start, with a context": "/console/?c.environment=prod&c.customer=c1&c.user=u17",
    "search for a name": "/console/?q=setting_0042",
    "search for a condition": "/console/?q=user%3Du99",
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


def catalog_changes() -> Changes:
    """Return the changes that make the catalog."""
    features = frozenset(FEATURES)
    settings: list[Setting] = []
    rules: list[Rule] = []
    for number in range(1, SETTINGS + 1):
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


async def measure() -> None:
    """Print a line for each page."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(SqliteDatabase(Path(folder, "a.db")))
        await store._database.prepare()
        await store.load()
        changes = catalog_changes()
        store.catalog = store.catalog.after(changes, store.catalog.counters_after(changes))
        gc.collect()
        gc.freeze()  # as ``heksherlite serve`` does
        app = create_app(store)
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            print(f"{'page':<24} {'first':>8} {'median':>8} {'worst':>8}   KiB")
            for name, path in PAGES.items():
                seconds = []
                size = 0
                for _ in range(1 + REPETITIONS):
                    began = time.process_time()
                    response = await client.get(path)
                    seconds.append(time.process_time() - began)
                    size = len(response.raise_for_status().content)
                first, *others = seconds
                times = [1000 * each for each in (first, statistics.median(others), max(others))]
                print(f"{name:<24} {times[0]:8.1f} {times[1]:8.1f} {times[2]:8.1f} {size / 1024:5.0f}")
        await store.close()


if __name__ == "__main__":
    asyncio.run(measure())
