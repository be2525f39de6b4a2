"""The differences that ``docs/guides/coming-from-fakts.md`` lists, observed in both packages."""

# ruff: noqa: T201 - it prints what it finds
import asyncio
import json
import os
import stat
import subprocess
import tempfile
import threading
from collections.abc import Callable
from contextlib import chdir
from contextvars import Context
from pathlib import Path
from typing import Any, Final

from heksherlite.grants import (
    CacheGrant,
    EnvGrant,
    FailsafeGrant,
    Fakts,
    GroupNotFound,
    HardGrant,
    LoadRequest,
    ParallelGrant,
    TomlGrant,
    YamlGrant,
    get_current_fakts,
)
from heksherlite.grants.grant import GrantLike
from tests.interop.environment import LOADER

_PROGRAM: Final = Path(__file__).with_name("differences_program.py")
_FACTS: Final = {"a": {"b": 1, "flag": True}}


def _file(name: str, content: str) -> str:
    Path(name).write_text(content)
    return name


def _read(grant: GrantLike, path: str | None = None, **arguments: Any) -> Any:
    with Fakts(grant, **arguments) as fakts:
        return fakts.get(path)


def _changed_group() -> Any:
    with Fakts(HardGrant(_FACTS)) as fakts:
        fakts.get("a")["b"] = 2
        return fakts.get("a.b")


def _awaited() -> Any:
    async def main() -> Any:
        async with Fakts(HardGrant(_FACTS)) as fakts:
            loading: Any = fakts.load()
            return [await fakts.get("a.b"), await fakts.aget("a.flag"), list(await loading)]

    return asyncio.run(main())


def _missing() -> Any:
    loads: list[LoadRequest] = []

    async def grant(request: LoadRequest) -> dict[str, Any]:
        loads.append(request)
        return _FACTS

    try:
        Fakts(grant).get("zz")
    except GroupNotFound as error:
        return ["True" in str(error), len(loads)]
    return None


def _in_threads() -> list[Any]:
    found: list[Any] = []
    with Fakts(HardGrant(_FACTS)) as fakts:
        threads = [threading.Thread(target=lambda: found.append(fakts.get("a.b"))) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return found


def _in_handler() -> Any:
    fakts = Fakts(HardGrant(_FACTS))
    fakts.set_as_main()
    try:
        return Context().run(get_current_fakts).get("a.b")
    finally:
        fakts.unset_as_main()


def _environment(*variables: str) -> Any:
    names = [variable.partition("=")[0] for variable in variables]
    for variable in variables:
        name, _, value = variable.partition("=")
        os.environ[name] = value
    try:
        return _read(EnvGrant())
    finally:
        for name in names:
            del os.environ[name]


def _cache_mode() -> str:
    _read(CacheGrant(HardGrant(_FACTS), cache_file="mode.json"))
    return oct(stat.S_IMODE(Path("mode.json").stat().st_mode))


async def _function(_: LoadRequest) -> dict[str, Any]:
    return {"a": 1}


DIFFERENCES: Final[dict[str, tuple[Any, Callable[[], Any], Any]]] = {
    "a path": (1, lambda: _read(HardGrant(_FACTS), "a.b"), 1),
    "no path": ("TypeError", lambda: _read(HardGrant(_FACTS)), _FACTS),
    "a key with a dot": ("GroupNotFound", lambda: _read(YamlGrant(_file("a", "a.b: 5")), "a.b"), 5),
    "a changed group": (2, _changed_group, 1),
    "awaited": ([1, True, ["a"]], _awaited, [1, True, ["a"]]),
    "a missing group": ([True, 2], _missing, [False, 2]),
    "five threads": (["RecursionError"], _in_threads, [1] * 5),
    "outside of a block": ("NotImplementedError", lambda: Fakts(HardGrant(_FACTS)).get("a.b"), 1),
    "current outside": (None, get_current_fakts, "NoFaktsFound"),
    "current in a handler": ("LookupError", _in_handler, 1),
    "hard_fakts": (1, lambda: _read(HardGrant(_FACTS), "a.b", hard_fakts={"a": {"b": 2}}), 2),
    "given loaded_fakts": (1, lambda: _read(HardGrant(_FACTS), "x", loaded_fakts={"x": 1}), "TypeError"),
    "a function": ("ValidationError", lambda: _read(_function, "a"), 1),
    "a group and then a value": ({"a": "1"}, lambda: _environment("FAKTS_A__B=2", "FAKTS_A=1"), "GrantError"),
    "a value and then a group": ("GrantError", lambda: _environment("FAKTS_A=1", "FAKTS_A__B=2"), "GrantError"),
    "no variable": ({}, lambda: _read(EnvGrant()), "GrantError"),
    "YAML with a tag of Python": (
        "ConstructorError",
        lambda: _read(YamlGrant(_file("a", "a: !!python/object/apply:os.getcwd []"))),
        "GrantError",
    ),
    "a YAML key twice": ({"a": 2}, lambda: _read(YamlGrant(_file("a", "a: 1\na: 2"))), "GrantError"),
    "a list in YAML": ("AttributeError", lambda: _read(YamlGrant(_file("a", "[1]"))), "GrantError"),
    "TOML": ("TypeError", lambda: _read(TomlGrant(_file("a", "a = 1"))), {"a": 1}),
    "a missing file before another grant": (
        "FileNotFoundError",
        lambda: _read(FailsafeGrant([YamlGrant("missing"), HardGrant(_FACTS)])),
        _FACTS,
    ),
    "no variable before another grant": (
        {},
        lambda: _read(FailsafeGrant([EnvGrant(), HardGrant(_FACTS)])),
        _FACTS,
    ),
    "grants at once": (
        "TypeError",
        lambda: _read(ParallelGrant([HardGrant(_FACTS), HardGrant({"a": {"c": 2}})])),
        {"a": {"b": 1, "flag": True, "c": 2}},
    ),
    "the mode of the cache": ("0o644", _cache_mode, "0o600"),
    "a damaged cache": (
        "JSONDecodeError",
        lambda: _read(CacheGrant(HardGrant(_FACTS), cache_file=_file("damaged", "{"))),
        _FACTS,
    ),
}
"""What the original does, what we do, and what comes of it. A text is a result, or the name of an exception."""


def observed(program: Callable[[], Any]) -> Any:
    """Return what a program returns, or the name of its exception."""
    try:
        return program()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is to be compared
        return type(error).__name__


def compare_differences() -> None:
    """Run every difference in both packages.

    Raises:
        NotInstallableError: The original cannot be installed here.
        AssertionError: One of them does something else than the page says.
    """
    finished = subprocess.run([LOADER.python(), "-W", "ignore", _PROGRAM], capture_output=True, text=True, check=True)
    originals = json.loads(finished.stdout)
    assert originals.keys() == DIFFERENCES.keys()
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        for name, (theirs, program, ours) in DIFFERENCES.items():
            assert originals[name] == theirs, f"{name}: the original does {originals[name]!r}, not {theirs!r}"
            found = observed(program)
            assert found == ours, f"{name}: {found!r}, not {ours!r}"
    print(f"{len(DIFFERENCES)} differences of the loaders are as the documentation says.")
