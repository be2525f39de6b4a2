"""The engine either uses a response or refuses it in the documented way, whatever the response is.

Responses to queries in v1 form have tests of their own, in ``tests/sdk/test_v1_responses.py``.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import hypothesis
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from heksherlite import Setting
from heksherlite.engine import protocol
from heksherlite.engine.engine import Engine
from heksherlite.engine.messages import Flow, Request, Response
from heksherlite.engine.options import ContextOptions
from heksherlite.engine.query_responses import read_query
from heksherlite.errors import ServiceResponseError
from tests.sdk.conftest import ALL
from tests.service.api import FEATURES

QUERY = Request("GET", "/api/v1/query")

names = st.sampled_from(["x", "y", "environment", "user", "theme", "planet", ""]) | st.text(max_size=3)
numbers = st.integers(-3, 12) | st.sampled_from([2**63 - 1, 2**63, -(2**63) - 1, 2**64 - 1, 10**30])
scalars = st.none() | st.booleans() | numbers | st.floats(allow_nan=False) | names
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)


def mostly(right: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy for valid values, and sometimes any value."""
    return st.one_of(right, right, right, anything)


def objects(members: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """Return a strategy for objects with some of these members."""
    return st.fixed_dictionaries({}, optional=members)


listed = st.lists(names, max_size=3)
orders = objects({"context_features": mostly(st.permutations(FEATURES) | listed)})
beginnings = objects(
    {
        "setting": mostly(names),
        "default_value": anything,
        "whole": mostly(st.booleans()),
        "removed": mostly(st.lists(numbers, max_size=3)),
    }
)
columns = st.integers(0, 3).flatmap(
    lambda count: objects(
        {
            "rule_ids": mostly(st.lists(numbers, min_size=count, max_size=count)),
            "context_features": mostly(st.lists(st.sampled_from(FEATURES), unique=True, max_size=2)),
            "context_values": mostly(st.lists(st.lists(names, min_size=count, max_size=count), max_size=2)),
            "values": mostly(st.lists(mostly(numbers), min_size=count, max_size=count)),
        }
    )
)
ends = objects({"settings": mostly(st.integers(0, 3))})


def in_lines(data: Sequence[Any]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in data)


texts = st.text(max_size=2) | st.sampled_from("abé")
right_beginnings = st.fixed_dictionaries(
    {
        "setting": st.sampled_from(["x", "x", "y", "z"]),
        "default_value": st.integers(0, 9) | anything,
        "whole": st.booleans(),
    },
    optional={"removed": st.lists(st.integers(0, 5) | numbers, max_size=3)},
)
right_columns = st.tuples(
    st.lists(st.sampled_from([*FEATURES, "planet"]), unique=True, max_size=2), st.integers(0, 3)
).flatmap(
    lambda shape: st.fixed_dictionaries(
        {
            "rule_ids": st.lists(st.integers(0, 5), min_size=shape[1], max_size=shape[1]),
            "context_features": st.just(shape[0]),
            "context_values": st.tuples(*[st.lists(texts, min_size=shape[1], max_size=shape[1]) for _ in shape[0]]),
            "values": st.lists(st.integers(0, 9) | scalars, min_size=shape[1], max_size=shape[1]),
        }
    )
)


@st.composite
def whole_bodies(draw: st.DrawFn) -> bytes:
    """Draw a valid body, perhaps with one invalid part."""
    settings = draw(st.lists(st.tuples(right_beginnings, st.lists(right_columns, max_size=3)), max_size=3))
    body: list[Any] = [{"context_features": draw(st.permutations(FEATURES))}]
    for begins, rules in settings:
        body += [begins, *rules]
    body.append({"settings": len(settings)})
    if draw(st.booleans()):
        wrong = dict(body[index := draw(st.integers(0, len(body) - 1))])
        name = draw(st.sampled_from(sorted(wrong)))
        wrong[name] = draw(anything)
        if draw(st.booleans()):
            del wrong[name]
        body[index] = wrong
    return in_lines(body)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Draw a valid body with some bytes changed or its end cut off."""
    good = in_lines(
        [
            {"context_features": FEATURES},
            {"setting": "x", "default_value": 10, "whole": True},
            {
                "rule_ids": [1, 2],
                "context_features": ["environment", "user"],
                "context_values": [["e", "f"], ["a", "é"]],
                "values": [1, 2],
            },
            {"settings": 1},
        ]
    )
    body = bytearray(good)
    for _ in range(draw(st.integers(0, 3))):
        body[draw(st.integers(0, len(body) - 1))] = draw(st.integers(0, 255))
    return bytes(body[: draw(st.integers(0, len(body)))])


bodies = st.one_of(
    whole_bodies(),
    whole_bodies(),
    whole_bodies(),
    damaged(),
    st.lists(st.one_of(orders, beginnings, columns, ends, anything), max_size=6).map(in_lines),
    st.binary(max_size=50),
)
statuses = st.sampled_from([200, 226])


def response_in_lines(status: int, body: bytes) -> Response:
    return Response(QUERY, status, body, '"2"', protocol.LINES)


@given(statuses, bodies)
def test_lines_are_read_or_refused(status: int, body: bytes) -> None:
    """Reading a response in lines raises a ServiceResponseError or nothing."""
    try:
        for _ in read_query(response_in_lines(status, body)):
            pass
    except ServiceResponseError:
        return


READERS: list[Callable[[Response], object]] = [
    protocol.read_context_features,
    protocol.read_declaration,
    protocol.read_canonical_name,
    protocol.read_settings,
]
declarations = objects(
    {
        "outcome": mostly(st.sampled_from(["created", "uptodate", "outdated", "rejected", "mismatch"])),
        "latest_version": mostly(st.sampled_from(["1.0", "2.1", "x", ""]) | st.none()),
        "differences": mostly(st.lists(anything, max_size=3)),
    }
)
data_of_settings = objects(
    {
        "name": mostly(names),
        "configurable_features": mostly(listed),
        "type": mostly(names),
        "default_value": anything,
        "metadata": mostly(st.dictionaries(names, anything, max_size=2)),
        "aliases": mostly(listed),
        "version": mostly(names),
    }
)
other_bodies = st.one_of(
    st.one_of(
        orders, declarations, data_of_settings, objects({"settings": mostly(st.lists(data_of_settings))}), anything
    ).map(lambda data: json.dumps(data).encode()),
    st.binary(max_size=50),
)


@pytest.mark.parametrize("read", READERS)
@given(status=st.sampled_from([200, 404, 409]), body=other_bodies)
def test_other_responses_are_read_or_refused(read: Callable[[Response], object], status: int, body: bytes) -> None:
    """Reading any other response raises a ServiceResponseError or nothing."""
    try:
        read(Response(QUERY, status, body))
    except ServiceResponseError:
        return


def perform(flow: Flow[Any], response: Callable[[Request], Response]) -> Any:
    """Run a flow of the engine with invented responses."""
    try:
        requests = next(flow)
        while True:
            requests = flow.send([response(request) for request in requests])
    except StopIteration as stop:
        return stop.value


class Program:
    """What owns the settings."""

    is_live = True


def served(settings: Sequence[Setting[Any]]) -> list[Any]:
    """Return the source of a setting's values, and a value."""
    contexts = [{"environment": "e", "user": user} for user in ("a", "é", "")]
    return [(setting._lookup, [setting.get(**context) for context in contexts]) for setting in settings]


@pytest.mark.usefixtures("_quiet")
@hypothesis.settings(max_examples=3 * hypothesis.settings().max_examples)
@given(statuses, bodies, other_bodies)
def test_a_response_is_applied_as_a_whole_or_not_at_all(status: int, body: bytes, other_body: bytes) -> None:
    """With any responses, the engine raises a ServiceResponseError and changes nothing, or all settings work."""
    settings = [Setting(name, int, ["environment", "user"], 0) for name in ("x", "y")]
    engine = Engine(FEATURES, ContextOptions())
    engine.track_contexts(ALL)
    engine.adopt(settings)

    def good(request: Request) -> Response:
        if request.path.endswith("/declare"):
            return Response(request, 200, b'{"outcome":"created"}')
        known = [{"setting": name, "default_value": 10, "whole": True} for name in ("x", "y")]
        rules = {
            "rule_ids": [1, 2],
            "context_features": ["user"],
            "context_values": [["a", "b"]],
            "values": [1, 2],
        }
        lines = in_lines([{"context_features": FEATURES}, known[0], rules, known[1], rules, {"settings": 2}])
        return Response(request, 200, lines, '"1"', protocol.LINES)

    def any_response(request: Request) -> Response:
        return response_in_lines(status, body) if request.path == QUERY.path else Response(request, 200, other_body)

    perform(engine.declare(), good)
    engine.apply(perform(engine.fetch(), good), Program())
    before = served(settings)
    try:
        update = perform(engine.fetch(), any_response)
    except ServiceResponseError:
        assert served(settings) == before
        assert engine.revision == '"1"'
        return
    event("applied")
    assert served(settings) == before
    engine.apply(update, Program())
    served(settings)
    assert engine.revision == '"2"'


@given(other_bodies, st.sampled_from([200, 409]))
@pytest.mark.usefixtures("_quiet")
def test_declarations_whatever_the_response_is(body: bytes, status: int) -> None:
    """With any responses to declarations, the engine raises a ServiceResponseError or nothing."""
    engine = Engine(FEATURES, ContextOptions())
    settings = [Setting(name, int, ["environment", "user"], 0) for name in ("x", "y")]
    engine.adopt(settings)
    with suppress(ServiceResponseError):
        perform(engine.declare(), lambda request: Response(request, status, body))
    engine.registry.apply_latest_defaults()
    served(settings)


@pytest.fixture(scope="module")
def _quiet() -> Any:
    """Drop the log of thousands of responses."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("logging.Logger.isEnabledFor", lambda *_: False)
        yield
