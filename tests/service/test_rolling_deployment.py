"""Versions of a program with changed objects, as processes beside each other."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from heksherlite.service import embedded
from tests.service.api import Api

Program = Callable[[str], dict[str, Any]]
"""Reads the limits of a user in a running program."""


@pytest.fixture
def api() -> Iterator[Api]:
    """Return a service."""
    with embedded(context_features=["user"]) as service:
        api = Api(service.url)
        with api.http:
            yield api


@pytest.fixture
def start(api: Api) -> Iterator[Callable[[str], Program]]:
    """Return a function that starts a version of the program."""
    with ExitStack() as stack:

        def started(version: str) -> Program:
            command = [sys.executable, "-W", "error", "-m", "tests.service.deployed_program", api.url, version]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            stack.enter_context(process)
            assert process.stdin is not None
            stack.callback(process.stdin.close)

            def read(user: str) -> dict[str, Any]:
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write(user + "\n")
                process.stdin.flush()
                answer: dict[str, Any] = json.loads(process.stdout.readline())
                return answer

            return read

        yield started


@pytest.mark.thorough
def test_a_rolling_deployment_and_a_rollback(api: Api, start: Callable[[str], Program]) -> None:
    """Both versions work on. A value that the older one cannot read costs it this rule only, and it says so."""
    first = start("1.0")
    assert first("john")["value"] == {"attempts": 3}
    api.add_rule({"attempts": 1}, "limits", user="john")
    assert first("john")["value"] == {"attempts": 1}

    second = start("1.1")
    assert second("john")["value"] == {"attempts": 1, "host": "a"}
    assert api.setting("limits")["version"] == "1.1"
    outdated = first("john")
    assert (outdated["value"], outdated["state"]) == ({"attempts": 1}, "fresh")
    ((setting, reason),) = outdated["problems"]
    assert (setting, "$.host: FirstLimits has no such field" in reason) == ("limits", True)
    assert first("jane")["value"] == {"attempts": 3}, "the last good default stays in force"

    rule = api.add_rule({"attempts": 9, "host": "b"}, "limits", user="jane")
    assert second("jane")["value"] == {"attempts": 9, "host": "b"}
    outdated = first("jane")
    assert (outdated["value"], outdated["state"]) == ({"attempts": 3}, "fresh")
    assert any(f"rule {rule}" in reason for _, reason in outdated["problems"])
    assert first("john")["value"] == {"attempts": 1}

    third = start("1.2")
    refused = third("john")
    assert refused["value"] == {"attempts": 3, "host": "a"}
    assert any("$.attempts: 1 is less than the minimum of 2" in reason for _, reason in refused["problems"]), (
        "the narrower version names the rule that it does not allow"
    )
    assert api.setting("limits")["version"] == "1.1"
    assert second("jane")["value"] == {"attempts": 9, "host": "b"}

    rolled_back = start("1.0")
    assert rolled_back("john")["value"] == {"attempts": 1}
    assert api.setting("limits")["version"] == "1.1"
