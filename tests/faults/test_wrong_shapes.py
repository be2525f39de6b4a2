"""Valid JSON of the wrong shape, at every level of a response to a query."""

from contextlib import suppress
from typing import Any

from heksherlite import ServiceResponseError, Setting
from tests.faults.faults import lines, responses, to_queries
from tests.faults.program import Log, Program
from tests.faults.proxy import FaultProxy
from tests.sdk.test_updates import MALFORMED as MALFORMED_V1
from tests.service.api import FEATURES

ORDER = {"context_features": FEATURES}
BEGINS = {"setting": "x", "default_value": 5, "whole": True}
RULES: dict[str, Any] = {
    "rule_ids": [1, 2],
    "context_features": ["user"],
    "context_values": [["a", "b"]],
    "values": [5, 6],
}
END = {"settings": 1}


def without(line: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in line.items() if key != name}


MALFORMED_LINES: dict[str, list[Any]] = {
    "no line": [],
    "no end": [ORDER, BEGINS, RULES],
    "only an end, of another number": [{"settings": 2}],
    "an end of another number": [ORDER, BEGINS, RULES, {"settings": 2}],
    "an end of no number": [ORDER, BEGINS, RULES, {"settings": "1"}],
    "something after the end": [ORDER, BEGINS, RULES, END, RULES],
    "a list": [ORDER, [], END],
    "null": [ORDER, None, END],
    "an object that is nothing": [ORDER, {}, END],
    "the order late": [BEGINS, ORDER, END],
    "an order that is no list": [{"context_features": "user"}, BEGINS, END],
    "an order of numbers": [{"context_features": [1]}, BEGINS, END],
    "rules of no setting": [ORDER, RULES, {"settings": 0}],
    "a setting whose name is a number": [ORDER, BEGINS | {"setting": 1}, END],
    "a setting that is not whole": [ORDER, BEGINS | {"whole": False}, END],
    "a setting that is neither whole nor not": [ORDER, BEGINS | {"whole": 1}, END],
    "a setting without default": [ORDER, without(BEGINS, "default_value"), END],
    "a setting without whole": [ORDER, without(BEGINS, "whole"), END],
    "what is removed is no list": [ORDER, BEGINS | {"removed": 1}, END],
    "what is removed is no number": [ORDER, BEGINS | {"removed": ["1"]}, END],
    **{f"rules without {name}": [ORDER, BEGINS, without(RULES, name), END] for name in RULES if name != "rule_ids"},
    **{f"{name} that are no list": [ORDER, BEGINS, RULES | {name: {}}, END] for name in RULES},
    **{f"{name} that are null": [ORDER, BEGINS, RULES | {name: None}, END] for name in RULES},
    **{f"{name} that are too few": [ORDER, BEGINS, RULES | {name: RULES[name][1:]}, END] for name in RULES},
    "an id that is a string": [ORDER, BEGINS, RULES | {"rule_ids": [1, "2"]}, END],
    "an id that is true": [ORDER, BEGINS, RULES | {"rule_ids": [True, 2]}, END],
    "an id that is huge": [ORDER, BEGINS, RULES | {"rule_ids": [1, 2**63]}, END],
    "a feature that is a number": [ORDER, BEGINS, RULES | {"context_features": [1]}, END],
    "a feature twice": [
        ORDER,
        BEGINS,
        RULES | {"context_features": ["user", "user"], "context_values": [["a", "b"]] * 2},
        END,
    ],
    "a condition on a number": [ORDER, BEGINS, RULES | {"context_values": [["a", 1]]}, END],
    "conditions that are no list": [ORDER, BEGINS, RULES | {"context_values": ["ab"]}, END],
    "too few conditions": [ORDER, BEGINS, RULES | {"context_values": [["a"]]}, END],
    "too many conditions": [ORDER, BEGINS, RULES | {"context_values": [["a", "b"]] * 2}, END],
}

SHAPES = {f"v1: {what}": to_queries(responses(body)) for what, body in MALFORMED_V1.items()} | {
    f"lines: {what}": to_queries(responses(lines(*body), Content_Type="application/x-ndjson"))
    for what, body in MALFORMED_LINES.items()
}


def test_wrong_shapes(program: Program, proxy: FaultProxy, setting: Setting[int], log: Log) -> None:
    """A malformed response is refused as a whole, the status reports it, and the next good response is applied."""
    client = program.run(proxy.url, 1000)
    for number, (what, fault) in enumerate(SHAPES.items(), 1):
        proxy.fault = fault
        with suppress(ServiceResponseError):  # the thread client logs it
            program.reload(client)
        status = client.status
        assert status.state == "stale", what
        assert status.consecutive_failures >= 1, what
        assert isinstance(status.last_error, ServiceResponseError), what
        assert (setting.get(environment="e", user="a"), setting.get(environment="e", user="b")) == (1, 10), what
        proxy.fault = None
        program.reload(client)
        assert client.status.state == "fresh", what
        assert log.times("heksher update works again") <= number, what
