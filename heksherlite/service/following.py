"""What a service does beside answering: it follows its database, switches scheduled rules, and forgets old history."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from heksherlite.service.domain import rules
from heksherlite.service.domain.authors import BY_SCHEDULE
from heksherlite.service.errors import DatabaseUnavailableError
from heksherlite.service.storage.history import History
from heksherlite.service.storage.store import Store

_LOOK_SECONDS: Final = 0.25
"""How long a new time may go unnoticed: it comes with any write, also of another service on the database."""

_PRUNE_SECONDS: Final = 3600.0


async def follow(store: Store, *, keep_history: timedelta | None, until: asyncio.Event) -> None:
    """Do all of it until an event is set; run this as a task, and do not cancel it.

    Args:
        store: The store to keep up to date.
        keep_history: How much of its history to keep; None keeps everything.
        until: The event. It is also set if one part fails: the service would not be what it should without it.
    """
    tasks = [
        asyncio.create_task(store.follow(until=until)),
        asyncio.create_task(switch_rules(store, until=until)),
    ]
    if keep_history is not None:
        tasks.append(asyncio.create_task(prune_history(store.history, keep=keep_history, until=until)))
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    until.set()
    await asyncio.wait(tasks)
    for task in tasks:
        await task


async def switch_rules(store: Store, *, until: asyncio.Event) -> None:
    """Begin and cease to serve scheduled rules on time, until an event is set; run this as a task.

    Of several services on one database each tries, and whichever has the write lock first makes the switch: the
    others find it done.
    """
    catalog, due = store.catalog, rules.next_switch(store.catalog)
    while not until.is_set():
        seconds = _LOOK_SECONDS
        if store.catalog is not catalog:
            catalog, due = store.catalog, rules.next_switch(store.catalog)
        if due is not None:
            now = store.now()
            if due > now:
                seconds = min(seconds, (due - now).total_seconds())
            else:
                with suppress(DatabaseUnavailableError):  # the store logs it, and this tries again
                    await store.write(partial(rules.switch, now=now), BY_SCHEDULE)
        await _wait(until, seconds)


async def prune_history(history: History, *, keep: timedelta, until: asyncio.Event) -> None:
    """Forget what is older than some time, now and every hour, until an event is set; run this as a task.

    Args:
        history: What to prune.
        keep: How much of it to keep.
        until: The event.
    """
    while not until.is_set():
        with suppress(DatabaseUnavailableError):  # the store logs it, and this tries again
            await history.prune(datetime.now(UTC) - keep)
        await _wait(until, _PRUNE_SECONDS)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
