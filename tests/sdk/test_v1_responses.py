"""The v1 response is read piece by piece, with the same result as reading it as a whole."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heksherlite.engine import v1_responses
from heksherlite.engine.messages import Request, Response
from heksherlite.engine.query_events import SettingBegins, SettingDefault
from heksherlite.engine.query_responses import read_query
from heksherlite.errors import ServiceResponseError
from heksherlite.rules import RuleBatch

tricky = ['"rules":[', "},{", "}]", "]}", '\\"', "rules", "é", "\U0001f600"]
texts = st.one_of(st.sampled_from(tricky), st.text(max_size=5))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
rules = st.fixed_dictionaries(
    {
        "rule_id": st.integers(0, 2**60),
        "value": values,
        "context_features": st.dictionaries(texts, texts, max_size=2).map(lambda conditions: [*conditions.items()]),
    },
    optional={"metadata": values},
)
settings = st.one_of(
    st.fixed_dictionaries({"default_value": values, "rules": st.lists(rules, max_size=8)}),
    st.fixed_dictionaries({"rules": st.lists(rules, max_size=8), "default_value": values}),
)
responses = st.fixed_dictionaries(
    {"settings": st.dictionaries(texts.filter(bool), settings, max_size=4)}, optional={"more": values}
)
writers = st.sampled_from(
    [
        lambda data: json.dumps(data, separators=(",", ":"), ensure_ascii=False),
        lambda data: json.dumps(data, separators=(",", ":")),
        json.dumps,
        lambda data: json.dumps(data, indent=1),
    ]
)


@pytest.fixture(autouse=True, scope="module")
def in_small_pieces() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(v1_responses, "_PIECE", 100)
        yield


def read(body: bytes) -> dict[str, tuple[Any, list[tuple[int, dict[str, str], Any]]]]:
    """Return the default and the rules by setting."""
    found: dict[str, tuple[Any, list[tuple[int, dict[str, str], Any]]]] = {}
    name = ""
    for event in read_query(Response(Request("GET", "/api/v1/query"), 200, body, media_type="application/json")):
        match event:
            case SettingBegins(name):
                found[name] = (None, [])
            case SettingDefault(value):
                found[name] = (value, found[name][1])
            case RuleBatch():
                found[name][1].extend((r.rule_id, dict(r.context_features), r.value) for r in event.rules())
    return {name: (default, sorted(listed, key=str)) for name, (default, listed) in found.items()}


@given(responses, writers)
def test_pieces_say_what_the_whole_says(response: dict[str, Any], write: Callable[[Any], str]) -> None:
    """All settings, defaults and rules are read, whatever the values are and however the JSON is formatted."""
    expected = {
        name: (
            setting["default_value"],
            sorted(
                ((rule["rule_id"], dict(rule["context_features"]), rule["value"]) for rule in setting["rules"]), key=str
            ),
        )
        for name, setting in response["settings"].items()
    }
    assert read(write(response).encode()) == expected


@given(responses, writers, st.data())
def test_a_response_that_was_cut_off_is_refused(
    response: dict[str, Any], write: Callable[[Any], str], data: st.DataObject
) -> None:
    """Every truncated response is refused."""
    body = write(response).encode()
    with pytest.raises(ServiceResponseError):
        read(body[: data.draw(st.integers(0, len(body) - 1))])


@given(responses, st.data())
def test_a_damaged_response_is_read_or_refused(response: dict[str, Any], data: st.DataObject) -> None:
    """Damaged bytes raise no other exception than the documented one."""
    body = bytearray(json.dumps(response, separators=(",", ":")).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        read(bytes(body))
    except ServiceResponseError:
        return


def test_many_rules_in_pieces() -> None:
    """Rules are in order across the borders of pieces."""
    listed = [
        {"rule_id": number, "value": [{"a": "}]"}, "},{", '"rules":['], "context_features": [["user", f"u{number}"]]}
        for number in range(3000)
    ]
    body = json.dumps({"settings": {"x": {"default_value": {"rules": []}, "rules": listed}}}, separators=(",", ":"))
    ((default, found),) = read(body.encode()).values()
    assert default == {"rules": []}
    assert {rule_id for rule_id, _, _ in found} == set(range(3000))


@pytest.mark.parametrize(
    "wrong",
    [
        5,
        {"value": 1, "context_features": []},
        {"rule_id": 1, "context_features": []},
        {"rule_id": 1, "value": 1},
        {"rule_id": 1, "value": 1, "context_features": {}},
        {"rule_id": 1, "value": 1, "context_features": ["ab"]},
        {"rule_id": 1, "value": 1, "context_features": [["user"]]},
        {"rule_id": 1, "value": 1, "context_features": [["user", "a", "b"]]},
        {"rule_id": 1, "value": 1, "context_features": [[["user"], "a"]]},
        {"rule_id": 1, "value": 1, "context_features": [["user", "a"], ["user", "b"]]},
    ],
    ids=str,
)
def test_a_rule_of_another_form_is_named(wrong: Any) -> None:
    """The message says which rule of which setting is wrong, and what is expected."""
    right = {"rule_id": 1, "value": 1, "context_features": [["user", "a"]]}
    body = {"settings": {"x": {"default_value": 1, "rules": [*[right] * 30, wrong, right]}}}
    with pytest.raises(ServiceResponseError, match=r'"rule_id", "value".* at settings\.x\.rules\[30\]$'):
        read(json.dumps(body, separators=(",", ":")).encode())
