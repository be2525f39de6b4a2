"""What JSON cannot express is an error that names its place. It is never sent as something else."""

import math
from decimal import Decimal
from typing import Any

import pytest

from heksherlite.http.json_bodies import json_body


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ({"operations": [{"value": 1}, {"value": math.nan}]}, "operations[1].value: nan is not JSON"),
        ({"value": [1, {"limit": -math.inf}]}, "value[1].limit: -inf is not JSON"),
        ({"value": 2**64}, "value: the integer has more than 64 bits"),
        ({"value": 10**5000}, "value: the integer has more than 64 bits"),
        ({"value": Decimal(1)}, "value: a Decimal is not JSON"),
        ({"value": {1: 2}}, "value: the key 1 is not text"),
        ({"value": {"\ud800": 2}}, "value: the key '\\ud800' is not text"),
        ({"reason": "\ud800"}, "reason: '\\ud800' is not text: it contains a lone surrogate"),
        ({"value": deep(300)}, "value[0][0]: it is nested more than 254 levels deep"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_has_no_json(value: Any, fault: str) -> None:
    """The error names the request and the place."""
    with pytest.raises(TypeError) as raised:
        json_body(value, "POST /api/v1/changes")
    assert str(raised.value) == f"POST /api/v1/changes cannot be sent: {fault}"


def test_null_is_json() -> None:
    """A body with null is sent as it is."""
    assert json_body({"value": [None, 1.5, "null", -(2**63), 2**64 - 1]}, "POST /") == (
        b'{"value":[null,1.5,"null",-9223372036854775808,18446744073709551615]}'
    )
