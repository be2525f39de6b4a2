"""``/api/v1/stream``: pushes changes to clients as they happen; see ``docs/reference/stream.md``."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header, Query, Request, Response
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from heksherlite.service.api.context import Context, ReadableStore
from heksherlite.service.api.head import IS_HEAD
from heksherlite.service.api.responses import INVALID, text_responses
from heksherlite.service.api.routes import StreamRoute, requires, still_authorized
from heksherlite.service.api.streams import Streams
from heksherlite.service.domain.change_feed import ChangedSettings, Interest
from heksherlite.service.domain.filters import parse_context_filter, parse_setting_names
from heksherlite.service.domain.lineage import RevisionId
from heksherlite.service.domain.times import show_time
from heksherlite.service.domain.tokens import Scope as TokenScope
from heksherlite.service.errors import NotCaughtUpError

EVENTS = "text/event-stream"
LINK = '<stream>; rel="monitor"'
"""The ``Link`` by which query responses announce the stream (RFC 5989). The URL is relative to the query's."""

RECONNECT_MILLISECONDS = 2_000
_UNREAD_SECONDS = 1.0  # a send that takes longer is blamed on the client

router = APIRouter(tags=["query"], route_class=StreamRoute)


@router.get(
    "/api/v1/stream",
    response_class=Response,
    responses={
        200: {"content": {EVENTS: {}}, "description": "An endless stream of server-sent events."},
        **text_responses(400),
        **INVALID,
    },
)
@requires(TokenScope.READ)
async def stream_changes(
    store: ReadableStore,
    context: Context,
    *,
    settings: Annotated[
        str | None, Query(description="As in queries. Unknown names are accepted, because settings may be added later.")
    ] = None,
    context_filters: Annotated[str, Query(description="As in queries.")] = "*",
    last_event_id: Annotated[
        str, Header(description="The id of the last event that the client received. The stream continues after it.")
    ] = "",
) -> Response:
    """Push each change of settings and rules as soon as it takes effect."""
    if not context.streams.has_room():
        raise HTTPException(503, "too many streams are open", {"retry-after": "5"})
    names = None if settings is None else parse_setting_names(settings)
    for name in names or ():
        store.catalog.find(name)  # raises an error for a setting outside the prefix of the token
    interest = Interest(names, parse_context_filter(context_filters), store.catalog.setting_prefix)
    since = RevisionId.parse(last_event_id)
    if since is not None and store.catalog.lineage.excludes(since):
        with suppress(NotCaughtUpError):  # the stream catches up later
            await store.catch_up()
    return EventStream(context.streams, interest, since)


class EventStream(Response):
    """Sends events until the client disconnects, its token becomes invalid, or the service stops.

    The streaming response of the framework would take twice as much memory. Nothing more is sent to a client that does
    not read; it receives everything that it missed in one event.
    """

    def __init__(self, streams: Streams, interest: Interest, since: RevisionId | None) -> None:
        super().__init__(media_type=EVENTS, headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self.streams = streams
        self._interest = interest
        self._since = since

    def opening(self, revision: RevisionId) -> bytes:
        """Return the first event, which says which revision the stream begins after."""
        return _event("ready", revision, {"spread": self.streams.spread})

    def change(self, revision: RevisionId, changed: ChangedSettings | None) -> bytes:
        """Return the event about what changed in settings of interest; None is everything."""
        names = None if changed is None else list(changed)
        changed_at = self.streams.feed.catalog.counters.changed_at
        time = {} if changed_at is None else {"changed_at": show_time(changed_at)}
        return _event("change", revision, {"settings": names, "spread": self.streams.spread, **time})

    def is_authorized(self, request: Request) -> bool:
        """Return whether the request for the stream would be authorized now."""
        return still_authorized(request)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        if scope.get(IS_HEAD):
            await Response(headers=dict(self.headers))(scope, receive, send)
            return
        self.streams.count += 1
        gone = asyncio.create_task(_disconnect(receive))
        ending = "failed"
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            ending = await self._send_events(Request(scope), gone, send)
        finally:
            self.streams.count -= 1
            self.streams.ended[ending] += 1
            gone.cancel()

    async def _send_events(self, request: Request, gone: asyncio.Task[None], send: Send) -> str:
        """Send events, and return the reason why the stream ended."""
        clock = asyncio.get_running_loop().time
        unread = False
        streams, feed = self.streams, self.streams.feed
        sent = feed.revision if self._since is None else self._since
        text = f"retry: {RECONNECT_MILLISECONDS}\n".encode() + self.opening(sent)
        while not (streams.closed or gone.done()) and self.is_authorized(request):
            if text:
                began = clock()
                await send({"type": "http.response.body", "body": text, "more_body": True})
                unread = clock() - began > _UNREAD_SECONDS
                text = b""
            elif sent != feed.revision:
                changed = feed.since(sent)
                names = None if changed is None else self._interest.names_in(changed, feed.catalog)
                sent = feed.revision
                if names is None or changed is None:
                    text = self.change(sent, None)
                elif names:
                    text = self.change(sent, {name: changed[name] for name in names})
            else:
                unread = False
                awaited = (streams.next_change, gone)
                done, _ = await asyncio.wait(awaited, timeout=streams.heartbeat, return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    text = f"id: {sent}\n\n".encode()
        await send({"type": "http.response.body"})
        if streams.closed:
            return "stopped"
        if gone.done():
            return "unread" if unread else "disconnected"
        return "refused"


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _event(kind: str, revision: RevisionId, data: Mapping[str, Any]) -> bytes:
    return b"event: %b\nid: %b\ndata: %b\n\n" % (kind.encode(), str(revision).encode(), orjson.dumps(data))
