"""What the original loader of grants does in small programs, one observation each.

Usage: ``python differences_program.py``. Prints a JSON object: what each program returned, or its exception's name.
"""

# ruff: noqa: T201 - it prints what it observes
import asyncio
import contextlib
import json
import os
import stat
import tempfile
import threading
import warnings
from collections.abc import Callable
from contextvars import Context
from importlib import import_module
from pathlib import Path
from typing import Any

fakts: Any = import_module("fakts")
grants: Any = import_module("fakts.grants")
Base: Any = grants.FaktsGrant


class Counting(Base):  # type: ignore[misc]
    """Returns facts, and counts the loads."""

    loads: int = 0
    facts: dict[str, Any] = {"a": {"b": 1, "flag": True}}  # noqa: RUF012 - a field of pydantic

    async def aload(self, *_: Any, **__: Any) -> Any:
        """Load."""
        self.loads += 1
        await asyncio.sleep(0.01)
        return self.facts


class Other(Counting):
    """Other facts of the same group."""

    facts: dict[str, Any] = {"a": {"c": 2}}  # noqa: RUF012 - a field of pydantic


def grant(path: str, **arguments: Any) -> Any:
    """Return a grant by its name."""
    module, _, name = path.rpartition(".")
    return getattr(import_module(f"fakts.grants.{module}"), name)(**arguments)


def read(grant: Any, *path: str, **arguments: Any) -> Any:
    """Read a value in synchronous code."""
    with fakts.Fakts(grant=grant, **arguments) as loader:
        return loader.get(*path)


def everything(grant: Any) -> Any:
    """Load all facts in asynchronous code."""

    async def load() -> Any:
        async with fakts.Fakts(grant=grant) as loader:
            return await loader.aload()

    return asyncio.run(load())


def written(name: str, content: str) -> str:
    """Write a file and return its name."""
    Path(name).write_text(content)
    return name


def changed_group() -> Any:
    """Change a group that was read, and read it again."""
    with fakts.Fakts(grant=Counting()) as loader:
        loader.get("a")["b"] = 2
        return loader.get("a.b")


def awaited() -> Any:
    """Await values inside of ``async with``, the first time and later, and the result of load()."""

    async def main() -> Any:
        async with fakts.Fakts(grant=Counting()) as loader:
            return [await loader.get("a.b"), await loader.get("a.flag"), list(await loader.load())]

    return asyncio.run(main())


def missing() -> Any:
    """Read a missing group, and return whether the message has the facts, and the number of loads."""
    counting = Counting()

    async def main() -> str:
        async with fakts.Fakts(grant=counting) as loader:
            try:
                return str(await loader.aget("zz"))
            except fakts.errors.GroupNotFound as error:
                return str(error)

    return ["'flag': True" in asyncio.run(main()), counting.loads]


def in_threads() -> list[str]:
    """Read in five threads, and return the names of the exceptions."""
    names = set()
    with fakts.Fakts(grant=Counting()) as loader:

        def run() -> None:
            try:
                loader.get("a")
            except Exception as error:  # noqa: BLE001 - whatever it is
                names.add(type(error).__name__)

        threads = [threading.Thread(target=run) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return sorted(names)


def in_handler() -> Any:
    """Look for the current loader where the handlers of a web framework do."""

    async def main() -> None:
        async with fakts.Fakts(grant=Counting()):
            Context().run(fakts.get_current_fakts)

    asyncio.run(main())


def environment(*variables: str) -> Any:
    """Load the facts of variables, in this order."""
    names = [variable.partition("=")[0] for variable in variables]
    for variable in variables:
        name, _, value = variable.partition("=")
        os.environ[name] = value
    try:
        return everything(grant("env.EnvGrant"))
    finally:
        for name in names:
            del os.environ[name]


def cache_mode() -> str:
    """Return the permissions of a new cache file."""
    os.umask(0o022)
    everything(grant("meta.CacheGrant", grant=Counting(), cache_file="mode.json"))
    return oct(stat.S_IMODE(Path("mode.json").stat().st_mode))


def damaged_cache() -> Any:
    """Load by a cache file that is not JSON."""
    return everything(grant("meta.CacheGrant", grant=Counting(), cache_file=written("damaged.json", "{")))


def failsafe(*others: Any) -> Any:
    """Load by the first of several grants."""
    return everything(grant("meta.FailsafeGrant", grants=[*others, Counting()]))


PROGRAMS: dict[str, Callable[[], Any]] = {
    "a path": lambda: read(Counting(), "a.b"),
    "no path": lambda: read(Counting()),
    "a key with a dot": lambda: read(grant("io.yaml.YamlGrant", filepath=written("dot.yaml", "a.b: 5")), "a.b"),
    "a changed group": changed_group,
    "awaited": awaited,
    "a missing group": missing,
    "five threads": in_threads,
    "outside of a block": lambda: fakts.Fakts(grant=Counting()).get("a"),
    "current outside": fakts.get_current_fakts,
    "current in a handler": in_handler,
    "hard_fakts": lambda: read(Counting(), "a.b", hard_fakts={"a": {"b": 2}}),
    "given loaded_fakts": lambda: read(Counting(), "x", loaded_fakts={"x": 1}),
    "a function": lambda: read(lambda _: {"a": 1}, "a"),
    "a group and then a value": lambda: environment("FAKTS_A__B=2", "FAKTS_A=1"),
    "a value and then a group": lambda: environment("FAKTS_A=1", "FAKTS_A__B=2"),
    "no variable": lambda: everything(grant("env.EnvGrant")),
    "YAML with a tag of Python": lambda: everything(
        grant("io.yaml.YamlGrant", filepath=written("tag.yaml", "a: !!python/object/apply:os.getcwd []"))
    ),
    "a YAML key twice": lambda: everything(grant("io.yaml.YamlGrant", filepath=written("twice.yaml", "a: 1\na: 2"))),
    "a list in YAML": lambda: everything(grant("io.yaml.YamlGrant", filepath=written("list.yaml", "[1]"))),
    "TOML": lambda: everything(grant("io.toml.TomlGrant", filepath=written("a.toml", "a = 1"))),
    "a missing file before another grant": lambda: failsafe(grant("io.yaml.YamlGrant", filepath="missing.yaml")),
    "no variable before another grant": lambda: failsafe(grant("env.EnvGrant")),
    "grants at once": lambda: everything(grant("meta.ParallelGrant", grants=[Counting(), Other()])),
    "the mode of the cache": cache_mode,
    "a damaged cache": damaged_cache,
}


def observed(program: Callable[[], Any]) -> Any:
    """Return what a program returns, or the name of its exception."""
    try:
        return program()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is to be compared
        return type(error).__name__


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder) as _:
        results = {}
        for name, program in PROGRAMS.items():
            with contextlib.redirect_stdout(None):
                results[name] = observed(program)
    print(json.dumps(results, default=repr))
