import asyncio
import gc
import logging
import os
import signal
import socket
import tempfile
import threading
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from heksherlite.errors import ServiceStartError
from heksherlite.service import AccessOptions, embedded
from heksherlite.service.storage.urls import sqlite_path
from tests.service.api import Api
from tests.waiting import until


def service_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if "heksherlite" in thread.name]


def test_it_serves_within_the_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service responds within the block, and leaves no thread, file, handler or logging behind."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = service_threads()
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    loggers = [logging.getLogger(name) for name in (None, "uvicorn", "uvicorn.error", "uvicorn.access", "alembic")]
    logs = [(logger.level, list(logger.handlers), logger.propagate) for logger in loggers]
    with embedded(context_features=["a", "b"]) as service:
        assert httpx.get(service.url + "/api/v1/context_features").json() == {"context_features": ["a", "b"]}
        assert len(list(tmp_path.iterdir())) == 1
        assert len(service_threads()) == len(before) + 1
    assert list(tmp_path.iterdir()) == []
    assert service_threads() == before
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert [(logger.level, list(logger.handlers), logger.propagate) for logger in loggers] == logs
    with pytest.raises(httpx.ConnectError):
        httpx.get(service.url)
    gc.collect()  # an unclosed socket or connection would warn here, and warnings are errors


@pytest.mark.anyio
async def test_it_works_under_asyncio_and_trio() -> None:
    """The asynchronous form works on both event loops."""
    async with embedded() as service, httpx.AsyncClient() as client:
        response = await client.get(service.url + "/api/health")
        assert response.status_code == 200


@pytest.mark.anyio
async def test_a_cancelled_start_leaves_nothing() -> None:
    """A start that is cancelled at any time leaves no service running."""
    before = service_threads()
    for delay in (0, 0.001, 0.05, 0.2):
        with anyio.move_on_after(delay):
            async with embedded():
                await anyio.sleep_forever()
        assert service_threads() == before


def test_it_ends_with_open_connections() -> None:
    """Idle connections do not delay the end."""
    with embedded() as service:
        address = (service.url.split("/")[2].split(":")[0], int(service.url.rsplit(":", 1)[1]))
        idle = socket.create_connection(address)
        unfinished = socket.create_connection(address)
        unfinished.sendall(b"POST /api/v1/rules HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n123")
        client = httpx.Client()
        client.get(service.url + "/api/health")
    client.close()
    idle.close()
    unfinished.close()


def test_data_outlives_the_service(database: str) -> None:
    """A named database keeps its contents."""
    with embedded(database, context_features=["environment", "user"]) as service, closing(Api(service.url)) as api:
        api.declare(metadata={"a": [1, 2.5, None]}, type="Mapping<float>", default_value={"x": 1})
        api.declare("text", type="str", default_value="ß→\u0000😀")
        api.add_rule({"y": 2.5}, user="a@b.c")
        before = api.state()
    with embedded(database) as service, closing(Api(service.url)) as api:
        assert api.state() == before


def test_old_history_may_be_forgotten(database: str) -> None:
    """With ``keep_history``, older history is deleted."""
    with embedded(database, context_features=["environment", "user"]) as service, closing(Api(service.url)) as api:
        api.declare()
        assert len(api.history()) == 2
    with (
        embedded(database, keep_history=timedelta(microseconds=1)) as service,
        closing(Api(service.url)) as api,
    ):
        until(lambda: len(api.history()) < 2)


def test_a_file_may_be_named_by_its_path(tmp_path: Path) -> None:
    """A path is equivalent to a URL, whatever characters it contains."""
    path = tmp_path / "a b#?%.db"
    with embedded(path, context_features=["environment"]):
        pass
    for again in (str(path), f"sqlite:///{tmp_path}/a b#%.db"):
        with embedded(again) as service:
            known = httpx.get(service.url + "/api/v1/context_features").json()["context_features"]
            assert known == (["environment"] if again == str(path) else [])


def test_several_run_at_once() -> None:
    """Several services can start and run in one process at the same time."""
    errors: list[BaseException] = []

    def use(name: str) -> None:
        try:
            with embedded(context_features=[name]) as service:
                assert httpx.get(service.url + "/api/v1/context_features").json() == {"context_features": [name]}
        except BaseException as error:  # noqa: BLE001  # shown by the main thread
            errors.append(error)

    threads = [threading.Thread(target=use, args=(f"f{index}",)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


@pytest.mark.parametrize(
    ("database", "message"),
    [
        ("mysql+aiomysql://host/db", "not supported"),
        ("sqlite://", "not supported"),
        ("sqlite:///:memory:", "must name a file"),
        ("sqlite:///", "must name a file"),
        ("sqlite:///a.db?mode=ro", "without options"),
        ("sqlite:////nowhere/at/all.db", "cannot use database"),
    ],
)
def test_unusable_databases_are_refused(database: str, message: str) -> None:
    """An unusable URL is refused on entering the block, without displaying a password."""
    with pytest.raises(ServiceStartError, match=message) as caught, embedded(database):
        pass
    assert "secret" not in str(caught.value)


def test_unexpected_context_features_are_refused(database: str) -> None:
    """If the database has other features than expected, the service does not start, and the database is unchanged."""
    with embedded(database, context_features=["b", "a"]):
        pass
    with (
        pytest.raises(ServiceStartError, match="in the same order"),
        embedded(database, context_features=["a", "b"]),
    ):
        pass
    with embedded(database, context_features=["x", "b", "y", "a", "z"]) as service:
        response = httpx.get(service.url + "/api/v1/context_features")
        assert response.json() == {"context_features": ["x", "b", "y", "a", "z"]}


def test_a_port_in_use_is_refused() -> None:
    """The error names the address."""
    with embedded() as service:
        port = int(service.url.rsplit(":", 1)[1])
        with pytest.raises(ServiceStartError, match=f"cannot listen on 127.0.0.1, port {port}"), embedded(port=port):
            pass


def test_paths_of_urls() -> None:
    """Three slashes are a relative path, four an absolute one; a driver is accepted; anything else is a path."""
    assert sqlite_path("sqlite:///a/b.db") == Path("a/b.db")
    assert sqlite_path("sqlite:////a/b.db") == Path("/a/b.db")
    assert sqlite_path("sqlite+aiosqlite:////a.db") == Path("/a.db")
    assert sqlite_path("a/b.db") == Path("a/b.db")
    assert sqlite_path(Path("x")) == Path("x")
    assert os.fspath(sqlite_path("settings.db")) == "settings.db"


def test_a_misspelled_mode_does_not_open_the_service() -> None:
    """Anything but the two names is refused, and does not mean that nobody needs a token."""
    mode: Any = "token"
    with pytest.raises(ValueError, match="auth must be 'none' or 'tokens', not 'token'"):
        AccessOptions(auth=mode)


def test_context_features_are_a_list() -> None:
    """A string would be a feature for each of its characters."""
    with pytest.raises(TypeError, match=r"context_features must be a list of names: write \['user'\]"):
        embedded(context_features="user")


def test_a_block_inside_the_block_of_the_same_service() -> None:
    """It is refused, because the first service would never end. Afterwards, the service may run again."""
    service = embedded()
    with service:
        with pytest.raises(RuntimeError, match=f"the service at {service.url} runs already"), service:
            pass

        async def enter() -> None:
            async with service:
                pass

        with pytest.raises(RuntimeError, match="runs already"):
            asyncio.run(enter())
        assert httpx.get(f"{service.url}/api/health").status_code == 200
    with service:
        assert httpx.get(f"{service.url}/api/health").status_code == 200
