"""``await fakts.get(...)`` inside ``async with``, as programs for fakts write it."""

import datetime as dt
from typing import Any

import orjson
import pytest

from heksherlite.errors import FaktsError, GroupNotFound
from heksherlite.grants import Fakts, HardGrant, SecretText

VALUES: dict[str, Any] = {
    "group": {"key": 1},
    "list": [1, "two"],
    "text": "text",
    "password": "hunter2",
    "integer": 7,
    "number": 0.5,
    "yes": True,
    "no": False,
    "nothing": None,
    "day": dt.date(2026, 1, 31),
    "time": dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC),
}


AWAITABLE = ["group", "list", "text", "password", "integer"]


@pytest.mark.anyio
@pytest.mark.parametrize("key", AWAITABLE)
@pytest.mark.parametrize("is_loaded", [False, True])
async def test_values_are_awaited(key: str, is_loaded: bool) -> None:
    """A value is awaited before facts are loaded and later; it is the plain value then."""
    async with Fakts(HardGrant({"a": VALUES}), load_on_enter=is_loaded) as fakts:
        for _ in range(2):
            value = await fakts.get(f"a.{key}")
            assert value == VALUES[key]
            assert type(value) is (SecretText if key == "password" else type(VALUES[key]))


@pytest.mark.anyio
@pytest.mark.parametrize("key", VALUES)
async def test_every_value_is_awaited_by_the_asynchronous_method(key: str) -> None:
    """Values of all kinds, before facts are loaded and later."""
    async with Fakts(HardGrant({"a": VALUES})) as fakts:
        for _ in range(2):
            assert await fakts.aget(f"a.{key}") == VALUES[key]


@pytest.mark.anyio
@pytest.mark.parametrize("key", VALUES)
async def test_loaded_values_are_used_directly(key: str) -> None:
    """Facts that are loaded already are the plain values for all that a program does with them."""
    async with Fakts(HardGrant({"a": VALUES}), load_on_enter=True) as fakts:
        value = fakts.get(f"a.{key}")
        assert value == VALUES[key]
        assert isinstance(value, type(VALUES[key]))
        if key not in AWAITABLE:
            assert type(value) is type(VALUES[key])  # such as None, True and False, which programs compare by `is`
        assert repr(value) == ("'********'" if key == "password" else repr(VALUES[key]))
        assert f"{value}" == f"{VALUES[key]}"
        assert orjson.dumps(value) == orjson.dumps(VALUES[key])


@pytest.mark.anyio
async def test_defaults_and_missing_paths() -> None:
    """A default is awaited too, and a missing path is an error."""
    async with Fakts(HardGrant({"a": 1})) as fakts:
        assert await fakts.get("b", default=None) is None  # loads
        for _ in range(2):
            assert await fakts.get("b", default=5) == 5
            assert fakts.get("b", default=None) is None
            with pytest.raises(GroupNotFound):
                await fakts.get("b", auto_load=True)


@pytest.mark.anyio
async def test_facts_that_nobody_awaits() -> None:
    """Facts that have to be loaded, and are neither awaited nor used, are warned of, like a coroutine."""
    async with Fakts(HardGrant({"a": None})) as fakts:
        with pytest.warns(RuntimeWarning, match=r"get\('a'\) of Fakts was not awaited"):
            assert fakts.get("a") is not None
        assert await fakts.get("a") is None
        assert fakts.get("a") is None


@pytest.mark.anyio
async def test_typed_values_are_read_directly() -> None:
    """With a class, get() returns what its type says, and never something to await."""
    async with Fakts(HardGrant({"a": {"b": "5"}})) as fakts:
        with pytest.raises(FaktsError, match="use 'await aget"):
            fakts.get("a.b", into=int)
        assert await fakts.aget("a.b", into=int) == 5
        assert fakts.get("a.b", into=int) == 5


@pytest.mark.anyio
async def test_load_is_awaited_too() -> None:
    """Programs for fakts await load(), the first time and later."""
    async with Fakts(HardGrant({"a": 1})) as fakts:
        for _ in range(2):
            loading: Any = fakts.load()
            assert await loading == {"a": 1}
        assert fakts.load() == {"a": 1}
