import linecache
import traceback
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heksherlite import Rule, Setting, SyncStubHeksherClient
from heksherlite.getter import class_with_get

FEATURES = ["environment", "class", "user"]
VALUES = ["x", "y", "z"]


def outcome(read: Callable[..., Any], contexts: dict[str, Any]) -> Any:
    """Return the value, or the exception, so that two ways can be compared."""
    try:
        return read(**contexts)
    except (RuntimeError, TypeError, ValueError) as error:
        return type(error), str(error)


rules = st.lists(
    st.dictionaries(st.sampled_from(FEATURES), st.sampled_from(VALUES), min_size=1),
    max_size=8,
    unique_by=lambda chosen: frozenset(chosen.items()),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("rules"), rules),
        st.tuples(st.just("value"), st.integers(0, 9)),
        st.tuples(st.just("constant"), st.sampled_from(FEATURES), st.sampled_from(VALUES)),
        st.tuples(st.just("variable"), st.sampled_from(FEATURES)),
        st.tuples(st.just("set"), st.sampled_from(FEATURES), st.sampled_from(VALUES)),
        st.tuples(st.just("forget")),
        st.tuples(
            st.just("get"),
            st.dictionaries(
                st.sampled_from([*FEATURES, "other"]), st.sampled_from([*VALUES, None, 1, True, "", ("x",)])
            ),
        ),
    ),
    max_size=30,
)


def follow(history: list[tuple[Any, ...]]) -> None:  # noqa: C901 - a case for each kind of step
    """Go through a history, and compare all ways to read after every step."""
    variables = {feature: ContextVar[str](feature) for feature in FEATURES}
    setting = Setting("x", int, FEATURES, -1)
    stored = [setting.get]
    with SyncStubHeksherClient() as client:
        for kind, *arguments in history:
            contexts: dict[str, Any] = {}
            match kind, arguments:
                case "rules", [conditions]:
                    client[setting].rules = [Rule(chosen, i) for i, chosen in enumerate(conditions)]
                case "value", [value]:
                    client[setting].rules = value
                case (("constant" | "variable"), [feature, *default]):
                    if feature not in client._options.defaults:
                        client.set_defaults(**{feature: default[0] if default else variables[feature]})
                case "set", [feature, value]:
                    variables[feature].set(value)
                case "forget", []:
                    setting._forget()
                case "get", [given_contexts]:
                    contexts = given_contexts
            if setting.get not in stored:
                stored.append(setting.get)
            generic = outcome(lambda **given: Setting.get(setting, **given), contexts)
            for read in [*stored, *stored]:
                assert outcome(read, contexts) == generic
            explained = outcome(setting.explain, contexts)
            assert (explained if isinstance(explained, tuple) else explained.value) == generic


@given(steps)
def test_the_written_get_equals_the_generic_one(history: list[tuple[Any, ...]]) -> None:
    """After any sequence of rules, defaults and variables, each stored ``get`` returns what the generic one returns."""
    copy_context().run(follow, history)


def test_settings_with_the_same_features_share_a_method() -> None:
    """The method is generated once for all settings with the same features and variables."""
    one, two = (Setting(name, int, ["a", "b"], 1) for name in "xy")
    assert type(one).get is type(two).get
    written: Any = class_with_get(Setting, ("a", "b"), ())
    assert written.get is type(one).get


def test_tracebacks_show_the_generated_source() -> None:
    """The generated source is available to tracebacks and debuggers."""
    setting = Setting("x", int, ["a"], 1)
    with pytest.raises(ValueError, match="'b'") as caught:
        setting.get(b="1")
    frames = traceback.extract_tb(caught.value.__traceback__)
    written = next(frame for frame in frames if frame.filename.startswith("<heksherlite"))
    assert "_raise_unknown_features" in (written.line or "")
    linecache.checkcache()
    assert linecache.getline(written.filename, 1).startswith("def get(_self")


def test_get_looks_like_a_method_of_setting() -> None:
    """The generated method has the docstring, name and module of Setting.get."""
    method = type(Setting("x", int, ["a"], 1)).get
    assert method.__doc__ == Setting.get.__doc__
    assert (method.__qualname__, method.__module__) == ("Setting.get", Setting.__module__)
    assert type(Setting("x", int, ["a"], 1)).__name__ == "Setting"
