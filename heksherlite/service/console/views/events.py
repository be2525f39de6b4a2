"""``/console/events``: tells open pages that somebody changed something, as server-sent events."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from heksherlite.service.api.context import Context, ServiceContext
from heksherlite.service.api.head import IS_HEAD
from heksherlite.service.api.routes import requires_person
from heksherlite.service.console.describing import Description, describe_change
from heksherlite.service.console.people import Person, person_of
from heksherlite.service.console.routes import ConsoleStreamRoute
from heksherlite.service.console.showing import author, count, sentence, short
from heksherlite.service.domain import tokens
from heksherlite.service.domain.change_feed import Interest
from heksherlite.service.domain.history import Record
from heksherlite.service.domain.lineage import RevisionId
from heksherlite.service.storage.history_search import Search

router = APIRouter(include_in_schema=False, route_class=ConsoleStreamRoute)

_LIFETIME: Final = 300.0
"""After how many seconds a stream ends. The browser opens a new one, which checks that the session still exists."""

_HEARTBEAT: Final = 20.0

_MOST_NAMES: Final = 100
"""How many names of settings a note has at most."""

_MOST_RECORDS: Final = 4
"""How many records a note looks at to name their authors."""


@router.get("/console/events")
@requires_person(tokens.Scope.READ)
async def follow_changes(request: Request, context: Context) -> Response:
    """Tell a page about every change from now on, or since the last event that it received."""
    person = person_of(request)
    if not context.streams.has_room():
        raise HTTPException(503, "too many streams are open", {"retry-after": "5"})
    return _Notes(context, person, _since(request, context))


def _since(request: Request, context: ServiceContext) -> RevisionId:
    current = context.streams.feed.revision
    known = RevisionId.parse(request.headers.get("last-event-id", ""))
    if known is not None:
        return known
    number = request.query_params.get("since", "")
    if number.isascii() and number.isdigit() and len(number) < 19:
        return context.store.catalog.lineage.revision(int(number)) or current
    return current


class _Notes(Response):
    """Sends a note for each change until the browser leaves, the service stops, or the time is over."""

    def __init__(self, context: ServiceContext, person: Person, since: RevisionId) -> None:
        super().__init__(
            media_type="text/event-stream", headers={"cache-control": "no-store", "x-accel-buffering": "no"}
        )
        del self.headers["content-length"]
        self._context = context
        self._person = person
        self._since = since

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get(IS_HEAD):
            await Response(headers=dict(self.headers))(scope, receive, send)
            return
        streams = self._context.streams
        streams.count += 1
        gone = asyncio.create_task(_disconnect(receive))
        ending = "failed"
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            ending = await self._send_notes(gone, send)
        finally:
            streams.count -= 1
            streams.ended[ending] += 1
            gone.cancel()

    async def _send_notes(self, gone: asyncio.Task[None], send: Send) -> str:
        streams, clock = self._context.streams, asyncio.get_running_loop().time
        feed, sent, end = streams.feed, self._since, clock() + _LIFETIME
        text = f"retry: 1000\nid: {sent}\n\n".encode()
        while not (streams.closed or gone.done()) and clock() < end:
            if text:
                await send({"type": "http.response.body", "body": text, "more_body": True})
                text = b""
            elif sent != feed.revision:
                changed = feed.since(sent)
                interest = Interest(None, None, self._person.setting_prefix)
                names = None if changed is None else interest.names_in(changed, feed.catalog)
                before, sent = sent, feed.revision
                if names is None or names:
                    note = await self._note(before.number, sent.number, names)
                    text = b"event: change\nid: %b\ndata: %b\n\n" % (str(sent).encode(), orjson.dumps(note))
            else:
                awaited = (streams.next_change, gone)
                done, _ = await asyncio.wait(awaited, timeout=_HEARTBEAT, return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    text = f"id: {sent}\n\n".encode()
        await send({"type": "http.response.body"})
        return "stopped" if streams.closed else "disconnected" if gone.done() else "refused"

    async def _note(self, before: int, revision: int, names: Sequence[str] | None) -> dict[str, Any]:
        what = "settings" if names is None else names[0] if len(names) == 1 else count(len(names), "setting")
        note = {
            "text": f"{sentence(what) if names is None else what} changed.",
            "settings": None if names is None or len(names) > _MOST_NAMES else names,
            "link": None,
            "label": None,
        }
        if not self._person.sees_everything:
            return note
        search = Search(limit=_MOST_RECORDS, before=revision + 1)
        page = await self._context.store.history.search(search, changes_per_record=1)
        records = [record for record in page.records if record.revision > before and _is_about_settings(record)]
        if not records:
            return note
        authors = dict.fromkeys(author(record.cause.author) for record in reversed(records))
        who = " and ".join(authors) if self._person.sees_people and len(authors) < _MOST_RECORDS else "Somebody"
        if len(records) > 1:
            return {**note, "text": f"{sentence(who)} changed {what}.", "link": "history", "label": "See the changes"}
        (record,) = records
        if record.change_count == 1 and names is not None and len(names) == 1:
            what = _in_words(describe_change(record.changes[0], complete=False)) or what
        reason = f": “{record.cause.reason}”" if record.cause.reason else ""
        text = f"{sentence(who)} changed {what}{reason}."
        return {**note, "text": text, "link": f"history/{revision}", "label": "See the change"}


def _is_about_settings(record: Record) -> bool:
    return any(change.subject is None for change in record.changes)


def _in_words(change: Description) -> str:
    """Return which value changed from what to what, or nothing if it is something else."""
    values = [field for field in change.fields if field.label == "value"]
    if change.setting is None or not change.where or not values:
        return ""
    where = " and ".join(f"{feature} is {value}" for feature, value in change.where.items())
    before = short(values[0].before) if values[0].has_before else "no rule"
    after = short(values[0].after) if values[0].has_after else "no rule"
    return f"{change.setting} where {where} from {before} to {after}"


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
