"""The background work of a service: it follows its database, switches scheduled rules, and deletes old history."""

import asyncio
import logging
import time
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from heksherlite.service.changing import Changer
from heksherlite.service.domain import rules
from heksherlite.service.domain.audit import MOST_DENIALS
from heksherlite.service.domain.authors import BY_SCHEDULE
from heksherlite.service.domain.lineage import MOST_REVISIONS
from heksherlite.service.domain.proposing import next_due
from heksherlite.service.errors import DatabaseUnavailableError, RequestError
from heksherlite.service.storage.store import Store, first_of

if TYPE_CHECKING:
    from heksherlite.service.storage.rule_removal import Progress

logger = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 0.25
"""The delay, at most, until a new time in the catalog is noticed. Any write of any service can bring one."""

_RETRY_SECONDS: Final = 5.0
"""The pause after work that failed because the database was unavailable or others wrote at the same time.

A constant is enough: the work is done once per service, and each attempt costs a statement and a log record.
"""

_PROGRESS_SECONDS: Final = 10.0
"""The interval at which to check that the rules of removed settings are being moved."""

_TOKENS_SECONDS: Final = 60.0
_DECLARATIONS_SECONDS: Final = 60.0
_PRUNE_SECONDS: Final = 3600.0


async def follow(
    store: Store,
    changer: Changer,
    *,
    keep_history: timedelta | None,
    keep_audit: timedelta | None,
    until: asyncio.Event,
) -> None:
    """Do all of it until an event is set; run this as a task, and do not cancel it.

    Args:
        store: The store to keep up to date.
        changer: What applies approved proposals when their time comes.
        keep_history: How much of its history to keep; None keeps everything.
        keep_audit: How much of its audit record to keep; None keeps everything but a flood of denials.
        until: The event. It is also set if one part fails: the service would not be what it should without it.
    """
    tasks = [
        asyncio.create_task(store.follow(until=until)),
        asyncio.create_task(switch_rules(store, until=until)),
        asyncio.create_task(apply_proposals(store, changer, until=until)),
        asyncio.create_task(move_removed_rules(store, until=until)),
        asyncio.create_task(watch_tokens(store, until=until)),
        asyncio.create_task(store_declarations(store, until=until)),
        asyncio.create_task(prune_audit(store, keep=keep_audit, until=until)),
    ]
    if keep_history is not None:
        tasks.append(asyncio.create_task(prune_history(store, keep=keep_history, until=until)))
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


async def apply_proposals(store: Store, changer: Changer, *, until: asyncio.Event) -> None:
    """Apply approved proposals on time, until an event is set; run this as a task.

    Of several services on one database each tries, and whichever has the write lock first applies a proposal: the
    others find it applied.
    """
    while not until.is_set():
        due = next_due(store.catalog)
        now = store.now()
        if due is None or due.apply_at is None or due.apply_at > now:
            seconds = _LOOK_SECONDS if due is None or due.apply_at is None else (due.apply_at - now).total_seconds()
            await _wait(until, min(seconds, _LOOK_SECONDS))
            continue
        try:
            await changer.apply_due(due)
        except (DatabaseUnavailableError, RequestError) as error:
            logger.warning("an approved proposal could not be applied yet: %s", error, extra={"proposal": due.id})
            await _wait(until, _RETRY_SECONDS)


async def move_removed_rules(store: Store, *, until: asyncio.Event) -> None:
    """Move the rules of removed settings into the history, until an event is set; run this as a task.

    Others can write between two portions. What a service that ended has left is moved by another one, or later by this
    one: it begins when there was no progress for a while.
    """
    seen: Progress | None = None
    moving = store.rules_are_hidden
    while not until.is_set():
        try:
            progress = await store.rule_removal.progress()
            if progress is not None and progress == seen:
                moving.set()
            seen = progress
            while moving.is_set() and not until.is_set():
                began = time.monotonic()
                if not await store.rule_removal.move_portion():
                    moving.clear()
                await _wait(until, time.monotonic() - began)
        except DatabaseUnavailableError:  # the store logs it, and this tries again
            await _wait(until, _RETRY_SECONDS)
        else:
            await first_of(until, moving, seconds=_PROGRESS_SECONDS)


async def watch_tokens(store: Store, *, until: asyncio.Event) -> None:
    """Store the uses of tokens and warn of their expiry, until an event is set; run this as a task."""
    uses = store.access.token_uses
    while not until.is_set():
        now = store.now().timestamp()
        uses.warn_of_expiry(store.tokens, now)
        with suppress(DatabaseUnavailableError):  # the store logs it, and this tries again
            await uses.write_due(now)
        await _wait(until, _TOKENS_SECONDS)


async def store_declarations(store: Store, *, until: asyncio.Event) -> None:
    """Store when settings were declared, until an event is set and once more then; run this as a task."""
    while not until.is_set():
        await _wait(until, _DECLARATIONS_SECONDS)
        with suppress(DatabaseUnavailableError):  # the store logs it, and this tries again
            await store.last_declared.write_due()


async def prune_history(store: Store, *, keep: timedelta, until: asyncio.Event) -> None:
    """Forget what is older than some time, now and every hour, until an event is set; run this as a task.

    Args:
        store: The store whose history to prune.
        keep: How much of it to keep.
        until: The event.
    """
    while not until.is_set():
        with suppress(DatabaseUnavailableError):  # the store logs it, and this tries again
            before = store.now() - keep
            await store.history.prune(before)
            await store.proposals.prune(before, oldest=store.catalog.counters.revision - MOST_REVISIONS)
        await _wait(until, _PRUNE_SECONDS)


async def prune_audit(store: Store, *, keep: timedelta | None, until: asyncio.Event) -> None:
    """Delete audit records that are too old, and denials that are too many, now and every hour, until an event is set.

    Args:
        store: The store with the audit record.
        keep: How much of it to keep; None keeps everything but the denials that are too many.
        until: The event.
    """
    while not until.is_set():
        with suppress(DatabaseUnavailableError):  # the store logs it, and this tries again
            before = None if keep is None else store.now() - keep
            await store.audit.prune(before=before, most_denials=MOST_DENIALS)
        await _wait(until, _PRUNE_SECONDS)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
