import asyncio
import copy
import inspect
import multiprocessing
import os
import threading
import unittest
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, aclosing
from contextvars import ContextVar
from itertools import permutations
from typing import Any

import anyio
import pytest

from heksherlite import MissingContextError, Rule, Setting, SyncStubHeksherClient, in_force, pinned
from heksherlite.context_values import ContextValues
from heksherlite.testing import Overrides, context, layers, override, strict
from tests.sdk.conftest import Connect
from tests.service.api import Api


@pytest.fixture
def setting() -> Setting[int]:
    """Return a setting."""
    return Setting("cache_ttl", int, ["environment", "user"], 60)


@pytest.fixture
def other() -> Setting[tuple[str, ...]]:
    """Return a setting of another type, whose name is no identifier."""
    return Setting("hosts.allowed", list[str], ["user"], [])  # type: ignore[return-value]


@pytest.fixture(autouse=True)
def nothing_is_left(setting: Setting[int], other: Setting[Any]) -> Iterator[None]:
    """Check that after each test nothing is overridden, and settings have plain lookups again."""
    yield
    assert (layers._layers, layers._contexts, layers._records, in_force.overlay) == ({}, [], [], None)
    assert (setting.get(environment="x", user="x"), other.get(user="x")) == (60, ())
    assert type(setting._lookup).__name__ in {"Lookup", "UnloadedLookup"}


def test_a_block_overrides_settings(setting: Setting[int], other: Setting[Any]) -> None:
    """Settings are given by name, alias or themselves; values are converted; other settings stay as they are."""
    with override(cache_ttl=5):
        assert (setting.get(), other.get()) == (5, ())
    with override({"hosts.allowed": ["a"], setting: 6}):
        assert (setting.get(), other.get()) == (6, ("a",))
    renamed = Setting("renamed", int, ["user"], 1, alias="old_name")
    with override(old_name=7):
        assert renamed.get(user="john") == 7


def test_inner_blocks_win_and_restore(setting: Setting[int]) -> None:
    """Blocks nest, also of the same object and in recursion, and each end restores what was there before."""
    five = override(cache_ttl=5)
    with five:
        with override(cache_ttl=6), five:
            assert setting.get() == 5
        assert setting.get() == 5

    @override(cache_ttl=7)
    def recurse(depth: int) -> int:
        return recurse(depth - 1) if depth else setting.get()

    assert recurse(3) == 7


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_overrides_end_in_any_order(setting: Setting[int], order: tuple[int, ...]) -> None:
    """What ends is one override, and the last of the others wins."""
    with Overrides() as heksher:
        undos = [heksher.set(setting, number) for number in range(3)]
        left = [0, 1, 2]
        for number in order:
            assert setting.get() == left[-1]
            undos[number]()
            undos[number]()
            left.remove(number)
            if not left:
                break
        assert setting.get() == 60


def test_conditions_limit_an_override(setting: Setting[int]) -> None:
    """An override with ``where`` counts in its contexts; elsewhere the setting has what it had before."""
    with Overrides() as heksher:
        heksher.set(setting, 1, where={"user": "john"})
        assert (setting.get(user="john"), setting.get(user="jane"), setting.get()) == (1, 60, 60)
        heksher.set(setting, 2)
        heksher.set("cache_ttl", 3, where={"user": "john", "environment": "dev"})
        assert (setting.get(user="john"), setting.get(user="john", environment="dev")) == (2, 3)
        with heksher.set(setting, [Rule({"user": "john"}, 4), Rule({"environment": "dev"}, 5)]):
            assert [setting.get(user=user, environment="dev") for user in ("john", "jane")] == [4, 5]
            assert setting.get(user="jane", environment="prod") == 60
        assert setting.get(user=42) == 2


def test_explanations_say_what_is_read(setting: Setting[int]) -> None:
    """``explain`` has the override that wins, and without one what is below."""
    with override(cache_ttl=1, where={"user": "john"}):
        explained = setting.explain(user="john")
        assert (explained.value, explained.winner is not None) == (1, True)
        assert setting.explain(user="jane").value == setting.get(user="jane") == 60


def test_a_client_goes_on_below(service: Api, connect: Connect) -> None:
    """A client declares and updates an overridden setting, and afterwards its values are there."""
    setting = Setting("served", int, ["environment", "user"], 60)
    with override(served=5, where={"user": "john"}):
        client = connect(service.url, environment="dev")
        service.add_rule(9, "served", environment="dev")
        client.reload()
        assert (setting.get(user="john"), setting.get(user="jane")) == (5, 9)
        with override(served=7), pytest.raises(MissingContextError, match="'user'"):
            setting.get()
    assert setting.get(user="john") == 9


def test_overrides_count_in_pinned_blocks(setting: Setting[int], stub: SyncStubHeksherClient) -> None:
    """An override is no update: it counts at once in a block that began before it, and so does its end."""
    with pinned():
        stub[setting].rules = 2
        with override(cache_ttl=5):
            assert setting.get(user="a", environment="b") == 5
        assert setting.get(user="a", environment="b") == 60
    stub[setting].rules = 60
    stub.set_defaults(user="a", environment="b")


def test_the_context_of_a_test(setting: Setting[int], stub: SyncStubHeksherClient) -> None:
    """Arguments count most, then what a request set, then the context of the test, then the defaults of the client."""
    user: ContextVar[str] = ContextVar("user", default="default")
    stub.set_defaults(environment="prod", user=user)
    stub[setting].rules = [Rule({"user": name}, number) for number, name in enumerate(["a", "b", "c", "default"])]
    assert setting.get() == 3
    with Overrides() as heksher:
        undo = heksher.context(user="a", environment="dev")
        assert setting.get() == 0
        assert setting.get(user="b") == 1
        with ContextValues({"user": "c"}):
            assert setting.get() == 2
        heksher.set(setting, 77, where={"environment": "dev"})
        assert setting.get() == 77
        with context(user="b", environment="prod"):
            assert setting.get() == 1
        undo()
        assert setting.get() == 3
    stub[setting].rules = 60


def test_the_context_without_a_client(setting: Setting[int]) -> None:
    """A context of a test, and one that a middleware sets, select overrides in a process without client."""
    with override(cache_ttl=5, where={"user": "john"}):
        assert setting.get() == 60
        with context(user="john"):
            assert setting.get() == 5
        with ContextValues({"user": "john"}):
            assert setting.get() == 5
            assert setting.explain().value == 5
        made_later = Setting("made_later", int, ["user"], 1)
        with context(user="john"), strict():
            assert made_later.get() == 1
            with pytest.raises(MissingContextError, match="'environment'"):
                setting.get()


def test_threads_and_forked_processes_see_overrides(setting: Setting[int]) -> None:
    """An override is global to the process, and what is forked from it inherits it."""
    seen: list[int] = []
    with override(cache_ttl=5), context(user="john"):
        thread = threading.Thread(target=lambda: seen.append(setting.get()))
        thread.start()
        thread.join()
        if hasattr(os, "fork"):
            forked: Any = multiprocessing.get_context("fork")
            receiver, sender = forked.Pipe(duplex=False)
            process = forked.Process(target=lambda: sender.send(setting.get()))
            process.start()
            assert receiver.poll(60)
            seen.append(receiver.recv())
            process.join()
            receiver.close()
            sender.close()
    assert set(seen) == {5}


WRONG: Any = "user"


def test_values_are_a_mapping() -> None:
    """A marker of pytest with a value alone says what it needs."""
    with pytest.raises(TypeError, match="expected a mapping from settings, or their names, to values, not 'user'"):
        Overrides().set_all(WRONG)


@pytest.mark.parametrize(
    ("begin", "error", "text"),
    [
        (
            lambda: override(cache_tl=5),
            LookupError,
            "no setting 'cache_tl' in this process; the nearest is 'cache_ttl'",
        ),
        (lambda: override(zzz=5), LookupError, "no setting 'zzz' in this process; import the module"),
        (lambda: override({5: 5}), TypeError, "a setting or the name of one is needed, not 5"),
        (lambda: override(cache_ttl="5"), TypeError, "value '5' of setting 'cache_ttl' is not of its type, int"),
        (lambda: override(cache_ttl=5, where={"usr": "a"}), ValueError, r"not configurable by \['usr'\]"),
        (lambda: override(cache_ttl=5, where=WRONG), TypeError, "where must be a mapping, such as .*, not 'user'"),
        (lambda: override(cache_ttl=5, where={"user": 1.5}), TypeError, "user=1.5, which is not text"),
        (lambda: override({"hosts.allowed": [], "cache_ttl": None}), TypeError, "value None of setting 'cache_ttl'"),
        (
            lambda: context(usr="a"),
            ValueError,
            "no setting .* is configurable by 'usr'; the nearest is 'user'",
        ),
        (lambda: context(user=1.5), TypeError, "the value 1.5 of context feature 'user' has no obvious text"),
    ],
)
def test_mistakes_are_named(begin: Callable[[], AbstractContextManager[Any]], error: Any, text: str) -> None:
    """Each mistake has an error that says what would be right, and leaves nothing overridden."""
    with pytest.raises(error, match=text), begin():
        pass


def test_functions_of_each_kind_are_decorated(setting: Setting[int]) -> None:
    """A decorated function has the values while it runs, stays what it was, and passes on what is sent and thrown."""

    @override(cache_ttl=5)
    def function(one: int, *, two: int) -> tuple[int, int, int]:
        """Return everything."""
        return one, two, setting.get()

    @override(cache_ttl=5)
    async def coroutine() -> int:
        await anyio.lowlevel.checkpoint()
        return setting.get()

    @override(cache_ttl=5)
    def generator() -> Iterator[Any]:
        sent = yield setting.get()
        try:
            yield sent
        except KeyError:
            yield setting.get()

    @override(cache_ttl=5)
    async def asynchronous() -> AsyncIterator[Any]:
        sent = yield setting.get()
        try:
            yield sent
        except KeyError:
            yield setting.get()

    assert function(1, two=2) == (1, 2, 5)
    assert (function.__name__, function.__doc__) == ("function", "Return everything.")
    assert list(inspect.signature(function).parameters) == ["one", "two"]
    assert inspect.iscoroutinefunction(coroutine)
    assert inspect.isgeneratorfunction(generator)
    assert inspect.isasyncgenfunction(asynchronous)
    for backend in ("asyncio", "trio"):
        assert anyio.run(coroutine, backend=backend) == 5
    steps: Any = generator()
    assert (next(steps), setting.get(), steps.send("sent"), steps.throw(KeyError)) == (5, 5, "sent", 5)
    steps.close()
    assert setting.get() == 60

    async def run() -> None:
        async with aclosing(asynchronous()) as parts:  # type: ignore[type-var]
            asynchronous_steps: Any = parts
            assert await anext(asynchronous_steps) == 5
            assert await asynchronous_steps.asend("sent") == "sent"
            assert await asynchronous_steps.athrow(KeyError) == 5
            assert setting.get() == 5
        assert [part async for part in asynchronous()] == [5, None]

    asyncio.run(run())


def test_plain_classes_are_decorated(setting: Setting[int]) -> None:
    """A decorated class is the same class, whose tests have the values: inherited, static and class methods too."""

    class Base:
        def test_inherited(self) -> int:
            return setting.get()

    class Tests(Base):
        def setup_method(self) -> None:
            self.found = setting.get()

        def test(self) -> list[int]:
            return [self.found, setting.get(), self.helper()]

        @staticmethod
        def test_static() -> int:
            return setting.get()

        @classmethod
        def test_class(cls) -> int:
            return setting.get()

        def helper(self) -> int:
            return setting.get()

    assert override(cache_ttl=5)(Tests) is Tests
    tests = Tests()
    tests.setup_method()
    assert tests.test() == [5, 5, 5]
    assert {tests.test_inherited(), tests.test_static(), Tests.test_class()} == {5}
    assert (tests.helper(), Base().test_inherited()) == (60, 60)


@override(cache_ttl=5)
class Cases(unittest.TestCase):
    """Is run by the test below."""

    __test__ = False

    def setUp(self) -> None:
        self.read()
        self.addCleanup(self.read)

    def read(self) -> None:
        assert CASES["setting"].get() == 5

    @override(cache_ttl=6)
    def test_method(self) -> None:
        assert CASES["setting"].get() == 6

    test_other = read
    tearDown = read


class AsyncCases(Cases, unittest.IsolatedAsyncioTestCase):
    """Inherits the override, and is run by the test below."""

    async def test_coroutine(self) -> None:
        self.read()


CASES: dict[str, Setting[int]] = {}


@pytest.mark.parametrize("case", [Cases, AsyncCases])
def test_cases_of_unittest_are_decorated(setting: Setting[int], case: type[unittest.TestCase]) -> None:
    """Tests of a decorated TestCase have the values from setUp to the last clean-up."""
    CASES["setting"] = setting
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
    assert (result.errors, result.failures, result.testsRun) == ([], [], 2 + (case is AsyncCases))


def test_a_wrong_name_is_an_error_of_each_case() -> None:
    """A TestCase that is decorated with a name that no setting has fails its tests, and the run goes on."""

    @override(cache_tl=5)
    class Wrong(unittest.TestCase):
        def test_one(self) -> None:
            """Never run."""

        test_two = test_one

    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Wrong).run(result)
    assert len(result.errors) == 2
    assert "the nearest is 'cache_ttl'" in result.errors[0][1]


def test_what_cannot_be_decorated_is_refused() -> None:
    """A value, and a fixture of pytest, are refused with a hint."""
    wrong: Any = 5
    with pytest.raises(TypeError, match="only functions and classes can be decorated, not 5"):
        override(cache_ttl=5)(wrong)

    @pytest.fixture
    def fixture() -> None:
        """Return nothing."""

    with pytest.raises(TypeError, match=r"place it below @pytest\.fixture"):
        override(cache_ttl=5)(fixture)


def test_many_threads_override_at_once(setting: Setting[int]) -> None:
    """Overrides that begin and end in many threads at the same time leave nothing behind."""
    with ExitStack() as stack, override({setting: 1}, where={"user": "constant"}):

        def work(number: int) -> None:
            for _ in range(50):
                with override(cache_ttl=number, where={"user": f"user-{number}"}):
                    assert setting.get(user=f"user-{number}") == number
                assert setting.get(user="constant") == 1

        errors: list[BaseException] = []
        threads = [threading.Thread(target=_catching(work, number, errors)) for number in range(4)]
        for thread in threads:
            thread.start()
            stack.callback(thread.join)
        for thread in threads:
            thread.join()
        assert errors == []
    assert copy.copy(setting) is setting


def _catching(function: Callable[[int], None], number: int, errors: list[BaseException]) -> Callable[[], None]:
    def run() -> None:
        try:
            function(number)
        except BaseException as error:  # noqa: BLE001 - the test shows it
            errors.append(error)

    return run
