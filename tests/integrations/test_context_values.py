from contextvars import ContextVar, copy_context
from typing import Any

import pytest

from heksherlite import MissingContextError, Rule, Setting, SyncStubHeksherClient
from heksherlite.context_values import ContextValues


@pytest.fixture
def setting(stub: SyncStubHeksherClient) -> Setting[str]:
    """Return a setting whose value says which user and theme it was read with."""
    setting = Setting("x", str, ["user", "theme"], "nobody")
    stub[setting].rules = [
        Rule({"user": "john"}, "john"),
        Rule({"user": "42"}, "42"),
        Rule({"user": "john", "theme": "dark"}, "dark john"),
    ]
    return setting


def test_values_count_in_the_block_only(setting: Setting[str], stub: SyncStubHeksherClient) -> None:
    """A feature without default is found in the block, inner blocks win, and afterwards it is missing as before."""
    stub.set_defaults(theme="light")
    for _ in range(2):
        with ContextValues({"user": "john"}):
            assert setting.get() == "john"
            with ContextValues({"user": 42}):
                assert setting.get() == "42"
            assert setting.get() == "john"
        with pytest.raises(MissingContextError, match="'user'"):
            setting.get()


def test_the_variable_of_the_program_is_used(setting: Setting[str], stub: SyncStubHeksherClient) -> None:
    """If the client takes a feature from a context variable of the program, this variable is set."""
    user: ContextVar[str] = ContextVar("user", default="jane")
    stub.set_defaults(user=user, theme="dark")
    with ContextValues({"user": "john"}):
        assert (user.get(), setting.get()) == ("john", "dark john")
    assert (user.get(), setting.get()) == ("jane", "nobody")


def test_none_leaves_a_feature_as_it_is(setting: Setting[str], stub: SyncStubHeksherClient) -> None:
    """A feature whose value is None keeps the value that it has outside."""
    stub.set_defaults(theme="light")
    with ContextValues({"user": "john"}), ContextValues({"user": None}):
        assert setting.get() == "john"


@pytest.mark.parametrize(
    ("values", "error", "text"),
    [
        (["user"], TypeError, r"must be a mapping from context features to values, not \['user'\]"),
        ({"user": 1.5}, TypeError, "the value 1.5 of context feature 'user' has no obvious text"),
        ({"theme": "dark"}, ValueError, "has the constant default 'light'; use set_defaults.theme=.*ContextVar"),
    ],
)
def test_wrong_values_are_refused(
    setting: Setting[str], stub: SyncStubHeksherClient, values: Any, error: type[Exception], text: str
) -> None:
    """Each wrong value has an error that says what would be right, and sets nothing."""
    stub.set_defaults(theme="light")
    with pytest.raises(error, match=text):
        ContextValues({"user": "john", **values} if isinstance(values, dict) else values).__enter__()
    with pytest.raises(MissingContextError):
        setting.get()


def test_without_a_client_values_change_nothing() -> None:
    """In a process without client, a setting has its default, whatever the context."""
    setting = Setting("y", int, ["user"], 7)
    with ContextValues({"user": "john"}):
        assert setting.get() == 7


def test_a_block_can_end_in_another_context(setting: Setting[str], stub: SyncStubHeksherClient) -> None:
    """A generator that is finalized elsewhere ends its block there, without an error."""
    stub.set_defaults(theme="light")
    block = ContextValues({"user": "john"})
    copy_context().run(block.__enter__)
    block.__exit__(None, None, None)
    with pytest.raises(MissingContextError):
        setting.get()
