"""Random writes over HTTP, for properties that hold after any writes."""

from collections.abc import Callable
from typing import TypeAlias

import httpx
from hypothesis import strategies as st

from tests.service.api import Api

Write: TypeAlias = Callable[[Api], httpx.Response]

_FEATURES = st.sampled_from(["environment", "user", "theme", "extra"])
_SETTINGS = st.sampled_from(["a", "b", "c"])
_VALUES = st.integers(0, 2)
_MINORS = st.integers(0, 6)
_CONDITIONS = st.dictionaries(st.sampled_from(["environment", "user"]), st.sampled_from(["x", "y"]), min_size=1)
_TIMES = st.sampled_from([None, "2001-01-01T00:00:00Z", "2100-01-01T00:00:00Z"])


def begin(api: Api) -> None:
    """Create some settings and rules, so that most writes find something to change."""
    api.reset()
    for name in ("a", "b"):
        api.declare(name, configurable_features=["environment", "user"])
        api.add_rule(0, setting=name, user="x")
        api.add_rule(1, setting=name, environment="y", user="x")


def _declare(name: str, features: list[str], default: int, minor: int, alias: str | None) -> Write:
    fields = {"version": f"1.{minor}", "alias": alias, "metadata": {"minor": minor}}
    return lambda api: api.declare(name, configurable_features=features, default_value=default, **fields)


def _add_rule(name: str, conditions: dict[str, str], value: int, starts_at: str | None) -> Write:
    body = {"setting": name, "feature_values": conditions, "value": value, "starts_at": starts_at}
    return lambda api: api.call("POST", "rules", body)


def _to_rule(number: int, method: str, path: str, body: dict[str, object] | None) -> Write:
    def write(api: Api) -> httpx.Response:
        served = [rule["rule_id"] for setting in api.query().values() for rule in setting["rules"]]
        last = [change["rule_id"] for record in api.history(limit=3) for change in record["changes"]]
        rule_ids = [*served, *(rule_id for rule_id in last if rule_id is not None)] or [0]
        return api.call(method, f"rules/{rule_ids[number % len(rule_ids)]}{path}", body)

    return write


def _call(method: str, path: str, body: dict[str, object] | None = None) -> Write:
    return lambda api: api.call(method, path, body)


def _revert(steps: int) -> Write:
    return lambda api: api.call("POST", f"history/{max(1, api.revision() - steps)}/revert")


_RULES = st.integers(0, 7)
_IN_USE = st.just(["environment", "user"])
_SOME = st.lists(_FEATURES, min_size=1, unique=True)

WRITES: st.SearchStrategy[Write] = st.one_of(
    st.builds(_declare, _SETTINGS, _IN_USE, _VALUES, _MINORS, st.none()),
    st.builds(_declare, _SETTINGS, _SOME, _VALUES, _MINORS, st.none() | _SETTINGS),
    st.builds(_add_rule, _SETTINGS, _CONDITIONS, _VALUES, _TIMES),
    st.builds(lambda rule, value: _to_rule(rule, "PUT", "/value", {"value": value}), _RULES, _VALUES),
    st.builds(lambda rule, value: _to_rule(rule, "PUT", "/metadata/k", {"value": value}), _RULES, _VALUES),
    st.builds(lambda rule, time: _to_rule(rule, "PUT", "/schedule", {"starts_at": time}), _RULES, _TIMES),
    st.builds(lambda rule: _to_rule(rule, "DELETE", "", None), _RULES),
    st.builds(lambda name: _call("DELETE", f"settings/{name}"), _SETTINGS),
    st.builds(
        lambda name, new: _call("PUT", f"settings/{name}/name", {"name": new, "version": "1.3"}), _SETTINGS, _SETTINGS
    ),
    st.builds(lambda name: _call("POST", "context_features", {"context_feature": name}), st.just("extra")),
    st.builds(lambda name: _call("DELETE", f"context_features/{name}"), _FEATURES),
    st.builds(
        lambda name, other: _call("PATCH", f"context_features/{name}/index", {"to_after": other}), _FEATURES, _FEATURES
    ),
    st.builds(_revert, st.integers(0, 8)),
    st.builds(_revert, st.just(0)),
)
"""Writes that are often in order, and often are not."""
