"""Clients in forked, spawned and ending processes."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator

import httpx
import pytest

from heksherlite.service import embedded
from tests.service.api import Api
from tests.waiting import until


@pytest.fixture
def service() -> Iterator[Api]:
    with embedded(context_features=["user"]) as running:
        api = Api(running.url)
        yield api
        api.close()


def run(module: str, *arguments: str) -> list[str]:
    """Run a program, which must print only its results."""
    warnings = ["-W", "default", "-W", "ignore:This process:DeprecationWarning"]  # it forks with threads on purpose
    command = [sys.executable, *warnings, "-m", module, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout.splitlines()


@pytest.mark.parametrize("kind", ["fork", pytest.param("spawn", marks=pytest.mark.thorough), "async"])
def test_children_follow(service: Api, kind: str) -> None:
    """A child reads the inherited value at once, then new ones. The parent is not disturbed."""
    assert run("tests.processes.forks", kind, service.url) == ["[1, 1, 1, 7, 7, 7] [0, 0, 0]", "7 fresh"]


def test_a_client_that_is_never_closed(service: Api) -> None:
    """The interpreter ends promptly and prints nothing."""
    assert run("tests.processes.leaves_open", service.url) == ["1 fresh"]


@pytest.mark.thorough
def test_gunicorn_with_preload(service: Api) -> None:
    """Every worker that is forked from the loaded application follows a change, under load."""
    options = ["--preload", "--workers", "3", "--bind", "127.0.0.1:0", "--no-control-socket"]
    with subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *options, "tests.processes.prefork:app"],
        env={**os.environ, "SERVICE_URL": service.url},
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            assert server.stderr is not None
            log = iter(server.stderr.readline, "")
            address = next(found[0] for line in log if (found := re.search(r"http://[\d.:]+", line)))
            reading = threading.Thread(target=list, args=(log,), daemon=True)
            reading.start()
            values: dict[str, set[str]] = {}

            def ask() -> None:
                worker, value = httpx.get(address, timeout=10).text.split()
                values.setdefault(worker, set()).add(value)

            def all_saw(value: str) -> bool:
                ask()
                return len(values) == 3 and all(value in seen for seen in values.values())

            until(lambda: all_saw("1"))
            service.add_rule(7, "x", user="a")
            until(lambda: all_saw("7"))
        finally:
            server.terminate()
            server.wait(20)
    assert server.returncode == 0
