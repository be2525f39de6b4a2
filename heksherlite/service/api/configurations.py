"""The configuration that an application claims, and the stream that tells it when its configuration changes."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson
from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException
from starlette.types import Send

from heksherlite.service.api.context import Context, ServiceContext
from heksherlite.service.api.responses import json_response
from heksherlite.service.api.routes import StreamRoute, public
from heksherlite.service.api.stream import EVENTS, RECONNECT_MILLISECONDS, EventStream
from heksherlite.service.api.streams import Streams
from heksherlite.service.domain.access.state import AccessState
from heksherlite.service.domain.applications import Application
from heksherlite.service.domain.audit import Action
from heksherlite.service.domain.change_feed import Interest
from heksherlite.service.domain.configurations import configuration, secret_paths, version
from heksherlite.service.domain.credentials import Credentials, application_of
from heksherlite.service.domain.groups import Group
from heksherlite.service.errors import DatabaseUnavailableError
from heksherlite.service.fields import ResponseBody

PATH: Final = "/f/stream/"
UNKNOWN_TOKEN: Final = "the token is unknown, was revoked or has expired"  # noqa: S105

_NOTHING: Final = Interest((), None)
_SCHEME: Final = "bearer "
_RETRY_SECONDS: Final = 1.0

router = APIRouter(tags=["grants"], route_class=StreamRoute)


class RefusedStream(ResponseBody):
    """The reason why a stream was refused."""

    status: Literal["error"]
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """The configuration of an application.

    Attributes:
        application: The application.
        groups: All configuration groups by name.
        config: The groups of values that the application gets.
        version: A text that differs if they differ.
        secrets: The keys that lead to secret values.
        with_previous_credentials: Whether the token is one that was replaced, and still works for a while.
    """

    application: Application
    groups: Mapping[str, Group]
    config: dict[str, dict[str, Any]]
    version: str
    secrets: list[tuple[str, ...]]
    with_previous_credentials: bool


def configured(state: AccessState, token: str, base_url: str, context: ServiceContext) -> Configured | None:
    """Return the configuration for a claim token, or None if the token does not work.

    Args:
        state: The applications, groups and secrets.
        token: The token.
        base_url: The URL of the service as the application knows it.
        context: The context of the service.
    """
    known = state.applications.get(application_of("claim", token) or "")
    application = None if known is None else known.with_claim_token(token, context.store.now().timestamp())
    if known is None or application is None:
        return None
    config = configuration(
        application,
        Credentials(application.id, token),
        base_url=base_url,
        context_features=context.store.catalog.context_features,
        groups=state.groups,
        secrets=state.secrets,
    )
    secrets = secret_paths(application, state.groups)
    return Configured(
        application=application,
        groups=state.groups,
        config=config,
        version=version(config, token, application.expires_at),
        secrets=secrets,
        with_previous_credentials=application.digests != known.digests,
    )


@router.get(
    PATH,
    response_class=Response,
    responses={
        200: {"content": {EVENTS: {}}, "description": "An endless stream of server-sent events."},
        401: {"model": RefusedStream, "description": "The token does not work."},
    },
)
@public
async def stream_configuration(request: Request, context: Context) -> Response:
    """Tell an application when its configuration changes. The header Authorization has its claim token as bearer."""
    if not context.streams.has_room():
        raise HTTPException(503, "too many streams are open", {"retry-after": "5"})
    sent = request.headers.get("authorization", "")
    token = sent[len(_SCHEME) :].strip() if sent.lower().startswith(_SCHEME) else ""
    base_url = context.base_url(request)
    found = configured(await context.store.access.read(), token, base_url, context)
    if found is None:
        context.audit.record_denial(
            request, Action.CLAIM_CONFIGURATION, UNKNOWN_TOKEN, claimed_id=application_of("claim", token)
        )
        headers = {"cache-control": "no-store", "www-authenticate": "Bearer"}
        return json_response({"status": "error", "message": UNKNOWN_TOKEN}, status=401, headers=headers)
    context.store.access.token_uses.used.add(found.application.token_prefix)
    context.quotas.hold_stream(request.scope, f"application {found.application.id}")

    async def current() -> str | None:
        now = configured(await context.streams.latest_access.get(), token, base_url, context)
        return None if now is None else now.version

    return ConfigurationStream(context.streams, current)


class ConfigurationStream(EventStream):
    """Sends an event whenever the configuration of an application has changed, until its token does not work.

    Args:
        streams: All open streams.
        version: Returns the version of the configuration, or None if the token does not work any more.
    """

    def __init__(self, streams: Streams, version: Callable[[], Awaitable[str | None]]) -> None:
        super().__init__(streams, _NOTHING, None)
        self._version = version

    async def _send_events(self, request: Request, gone: asyncio.Task[None], send: Send) -> str:  # noqa: ARG002
        """Send events, and return the reason why the stream ended."""
        streams = self.streams
        text = f"retry: {RECONNECT_MILLISECONDS}\n".encode()
        sent: str = ""
        seen: tuple[object, ...] | None = None
        while not (streams.closed or gone.done()):
            state = _state(streams)
            seconds = streams.heartbeat
            if state != seen:
                try:
                    current = await self._version()
                except DatabaseUnavailableError:
                    seconds = _RETRY_SECONDS
                else:
                    if current is None:
                        break
                    seen = state
                    if current != sent:
                        text += _event("change" if sent else "ready", current, streams)
                        sent = current
            if text:
                await send({"type": "http.response.body", "body": text, "more_body": True})
                text = b""
            if state == _state(streams):
                awaited = (streams.next_change, gone)
                done, _ = await asyncio.wait(awaited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
                text = b"" if done else b":\n\n"
        await send({"type": "http.response.body"})
        if streams.closed:
            return "stopped"
        return "disconnected" if gone.done() else "refused"


def _state(streams: Streams) -> tuple[object, ...]:
    """Return what differs if configurations may differ."""
    counters = streams.feed.catalog.counters
    return counters.database_id, counters.access_id, counters.features_id


def _event(kind: str, current: str, streams: Streams) -> bytes:
    data = orjson.dumps({"spread": streams.spread})
    return b"event: %b\nid: %b\ndata: %b\n\n" % (kind.encode(), current.encode(), data)
