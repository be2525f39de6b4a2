import gc
import os
import signal
import ssl
from collections.abc import Generator, Iterator
from functools import cache, partial
from itertools import count
from typing import Any
from weakref import WeakValueDictionary

import pytest
from httpx import create_ssl_context
from hypothesis import is_hypothesis_test, settings

from heksherlite import main_client
from heksherlite.clients.base import BaseClient

pytest_plugins = ["pytester"]

settings.register_profile("brief", max_examples=20, deadline=None)  # machines stall


def pytest_configure(config: pytest.Config) -> None:
    """Try few examples in property tests, unless the tests that take long were asked for."""
    if config.getoption("markexpr") != "thorough":
        settings.load_profile("brief")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Count property tests among those that take long too: they run again then, with all examples."""
    if config.getoption("markexpr") == "thorough":
        for item in items:
            is_property = isinstance(item, pytest.Function) and is_hypothesis_test(item.function)
            if is_property or item.get_closest_marker("property"):
                item.add_marker("thorough")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect garbage once after the tests were collected, and exempt what is left: nearly all of it stays in use.

    Each garbage collection after that, of which some tests cause several, takes milliseconds and not half a second.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a job in the background of a shell
    # Processes that tests start would inherit that, and could not be interrupted.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _made_once() -> Iterator[None]:
    """Share what takes long and is always the same: the schema of new databases, their compiled statements, and TLS."""
    # The process that distributes the tests needs no database.
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415

    from heksherlite.service.storage import postgresql, sqlite  # noqa: PLC0415
    from tests.service.compiled_statements import CompiledStatements  # noqa: PLC0415
    from tests.service.new_schema import SchemaCopy  # noqa: PLC0415

    options = {"compiled_cache": CompiledStatements()}
    with pytest.MonkeyPatch.context() as patch:
        for module in (sqlite, postgresql):
            patch.setattr(module, "create_async_engine", partial(create_async_engine, execution_options=options))
        patch.setattr(sqlite, "upgrade_schema", SchemaCopy().upgrade)
        patch.setattr("httpx._transports.default.create_ssl_context", _ssl_context)
        patch.setattr("httpx.create_ssl_context", _ssl_context)
        yield


def _ssl_context(verify: Any = True, cert: Any = None, *, trust_env: bool = True) -> ssl.SSLContext:
    if verify is not True or cert is not None:
        return create_ssl_context(verify, cert, trust_env)
    paths = [os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR")] if trust_env else []
    return _default_ssl_context(*paths, trust_env=trust_env)


@cache
def _default_ssl_context(*_paths: str | None, trust_env: bool) -> ssl.SSLContext:
    """Create the context once for each place where certificates can be."""
    return create_ssl_context(trust_env=trust_env)


@pytest.fixture(autouse=True)
def _own_main_client(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test a process without main client and waiting settings, and refuse a client that is left running."""
    monkeypatch.setattr(main_client, "_main", None)
    monkeypatch.setattr(main_client, "_waiting", WeakValueDictionary())
    yield
    left = main_client.main()
    assert not (isinstance(left, BaseClient) and left.is_live), f"{left!r} was not closed"


@pytest.fixture(scope="session")
def _state_homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the names of folders for the state of programs. They do not exist."""
    base = tmp_path_factory.mktemp("state")
    return (str(base / str(number)) for number in count())


@pytest.fixture(autouse=True)
def _own_state_home(monkeypatch: pytest.MonkeyPatch, _state_homes: Iterator[str]) -> None:
    """Give the programs of each test a folder for their state, such as tokens, that no other test uses."""
    monkeypatch.setenv("XDG_STATE_HOME", next(_state_homes))


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run each test marked with `pytest.mark.anyio` once on each event loop that the package supports."""
    backend: str = request.param
    return backend


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Show every item of two tuples on a line of its own, and mark those that differ."""
    if op != "==" or type(left) is not tuple or type(right) is not tuple or len(left) != len(right):
        return None
    rows = [
        f"  [{index}] {one!r}" if one == other else f"! [{index}] {one!r} != {other!r}"
        for index, (one, other) in enumerate(zip(left, right, strict=True))
    ]
    return ["the tuples differ in the items that are marked by !", *rows]
