"""What consistent reads and middlewares take."""

import asyncio
import gc
import io
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import flask
from django.conf import settings as django_settings
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from benchmarks.data import rules_per_user, user_name
from benchmarks.floor import floor_for
from benchmarks.measures.get import REPEATED, loaded, users_in
from benchmarks.results import Row, write_rows
from benchmarks.sizes import SIZES, Size
from benchmarks.timing import Loop, per_call, repeated
from heksherlite import Setting, SyncStubHeksherClient, in_force, pinned
from heksherlite.integrations.asgi import ContextMiddleware
from heksherlite.integrations.django import ContextMiddleware as DjangoMiddleware
from heksherlite.integrations.flask import Heksher

USERS = [user_name(number) for number in range(REPEATED)]


def replace(setting: Setting[int]) -> None:
    """Put an update with the same rules in force."""
    lookup = setting._served
    setting._serve(type(lookup)(lookup.setting_name, lookup.rules, -1, lookup.contexts))


def get_rows(size: Size) -> list[Row]:
    """Measure `get` inside of blocks and outside, before and after an update, beyond what it takes without blocks."""
    rules = rules_per_user(REPEATED)
    floor = floor_for(rules, users_in(rules))
    never, open_before, updated = loaded(rules), loaded(rules), loaded(rules)
    rows = []
    call = "subject.get(user=user)"
    with pinned():
        replace(updated)
        assert type(updated._lookup) is in_force.PinnedLookup
        for what, setting, is_inside in (
            ("in a block, no change since", open_before, True),
            ("in a block, the setting changed since", updated, True),
            ("outside, while a block is open, no change since", open_before, False),
            ("outside, while a block is open, the setting changed since", updated, False),
        ):
            block: AbstractContextManager[None] = nullcontext() if is_inside else outside()
            with block:
                assert all(setting.get(user=user) == floor.get(user=user) for user in USERS)
                loops = {
                    "floor": Loop(call, subject=floor),
                    "without": Loop(call, subject=never),
                    "ours": Loop(call, subject=setting),
                }
                samples = per_call(loops, repeated(USERS, size.calls, size.repeats))
            more = [
                (ours - without) / bare
                for ours, without, bare in zip(samples["ours"], samples["without"], samples["floor"], strict=True)
            ]
            is_for_free = "no change" in what
            rows.append(
                Row(
                    "requests",
                    f"get {what}",
                    "floors more",
                    more,
                    (),
                    0.1 if is_for_free else 1,
                    "value",
                    "than get alone",
                )
            )
    assert type(updated._lookup) is not in_force.PinnedLookup
    return rows


class outside(AbstractContextManager[None]):  # noqa: N801 - used like a function
    """Reads what is in force, within an open block."""

    def __enter__(self) -> None:
        self._token = in_force._pin.set(None)

    def __exit__(self, *_: object) -> None:
        in_force._pin.reset(self._token)


def block_row(size: Size) -> Row:
    """Measure a block in which nothing happens."""
    samples = per_call(
        {"ours": Loop("with pinned(): pass", pinned=pinned)}, repeated(USERS, max(10, size.calls // 10), size.repeats)
    )
    return Row("requests", "a block of pinned()", "ns", samples["ours"])


def bounded_memory_row(size: Size) -> Row:
    """Measure what blocks leave behind in which settings changed."""
    setting = loaded(rules_per_user(REPEATED))
    held = []
    tracemalloc.start()
    for rounds in (size.calls // 10, size.calls // 2):
        for _ in range(rounds):
            with pinned():
                replace(setting)
                setting.get(user=USERS[0])
        gc.collect()
        held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    what = f"held after {size.calls // 2:,} more blocks with an update each"
    return Row("requests", what, "kB", [(held[1] - held[0]) / 1e3], (), 1, "value")


def microseconds(function: Callable[[int], object], requests: int) -> float:
    """Return what a request takes, of so many."""
    started = time.perf_counter()
    function(requests)
    return (time.perf_counter() - started) / requests * 1e6


def middleware_row(what: str, bare: Callable[[int], object], ours: Callable[[int], object], size: Size) -> Row:
    """Measure what a middleware adds to a request: in turns, with it and without it."""
    requests = max(10, size.calls // 50)
    added = []
    for repeat in range(size.repeats + 1):
        without = microseconds(bare, requests)
        taken = microseconds(ours, requests)
        if repeat:
            added.append(taken - without)
    return Row("requests", f"middleware for {what}", "us", added, (), 30, "value", "added to a request")


def asgi_application(setting: Setting[int]) -> Any:
    """Return an application that reads a setting."""

    async def app(_: Any, __: Any, send: Any) -> None:
        setting.get(user="john")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return app


def asgi_requests(app: Any) -> Callable[[int], object]:
    """Return a function that sends so many requests to an ASGI application."""

    async def nothing(_: Any = None) -> Any:
        """Send and receive nothing."""

    async def send(requests: int) -> None:
        for _ in range(requests):
            await app({"type": "http", "path": "/", "headers": [(b"x-user", b"john")]}, nothing, nothing)

    return lambda requests: asyncio.run(send(requests))


def wsgi_requests(app: Any) -> Callable[[int], object]:
    """Return a function that sends so many requests to a WSGI application."""

    def send(requests: int) -> None:
        for _ in range(requests):
            environ = {
                "REQUEST_METHOD": "GET",
                "PATH_INFO": "/",
                "SERVER_NAME": "test",
                "SERVER_PORT": "80",
                "wsgi.url_scheme": "http",
                "wsgi.input": io.BytesIO(),
                "HTTP_X_USER": "john",
            }
            body = app(environ, lambda *_: None)
            list(body)
            body.close()

    return send


def django_requests(handler: Any) -> Callable[[int], object]:
    """Return a function that handles so many requests of Django."""
    request = RequestFactory().get("/", headers={"x-user": "john"})

    def send(requests: int) -> None:
        for _ in range(requests):
            handler(request)

    return send


def middleware_rows(size: Size) -> list[Row]:
    """Measure each middleware with an application that reads one setting."""
    with SyncStubHeksherClient() as client:
        setting = Setting("read", int, ["user"], 1)
        client[setting].rules = 2

        def view(_: HttpRequest) -> HttpResponse:
            return HttpResponse(str(setting.get(user="john")).encode())

        def shop() -> flask.Flask:
            app = flask.Flask(__name__)
            app.add_url_rule("/", "read", lambda: str(setting.get(user="john")))
            return app

        bare_app, with_extension = shop(), shop()
        Heksher(with_extension, lambda request: {"user": request.headers.get("x-user")})
        app = asgi_application(setting)
        covered = ContextMiddleware(app, lambda scope: {"user": dict(scope["headers"])[b"x-user"].decode()})
        django_settings.configure(
            ALLOWED_HOSTS=["*"], HEKSHER_CONTEXT=lambda request: {"user": request.headers.get("x-user")}
        )
        subjects: Sequence[tuple[str, Any, Any]] = (
            ("ASGI", asgi_requests(app), asgi_requests(covered)),
            ("Django", django_requests(view), django_requests(DjangoMiddleware(view))),
            ("Flask", wsgi_requests(bare_app), wsgi_requests(with_extension)),
        )
        return [middleware_row(what, bare, ours, size) for what, bare, ours in subjects]


def main() -> None:
    """Measure, and write the rows."""
    size = SIZES[sys.argv[1]]
    write_rows([*get_rows(size), block_row(size), bounded_memory_row(size), *middleware_rows(size)])


if __name__ == "__main__":
    main()
