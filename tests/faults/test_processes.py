"""Faults of whole processes: a program without file descriptors, and a stopped service."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from heksherlite import Setting
from tests.faults.conftest import Stored
from tests.faults.faults import QUICK
from tests.faults.program import KINDS, Log, Program
from tests.faults.proxy import Exchange, FaultProxy
from tests.service.api import FEATURES
from tests.service.test_processes import process
from tests.waiting import until

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals and limits")


def respond_and_close(exchange: Exchange) -> None:
    """Close the connection after each response, so that each poll needs a new one."""
    response = exchange.ask_service()
    exchange.respond(replace(response, headers={**response.headers, "Connection": "close"}))
    exchange.hang_up()


@pytest.mark.thorough
@pytest.mark.parametrize("kind", KINDS)
def test_no_more_files(kind: str, proxy: FaultProxy, stored: Stored) -> None:
    """A program without free file descriptors keeps its values, and gets new ones as soon as it has some."""
    proxy.fault = respond_and_close
    command = [sys.executable, "-W", "error", "-m", "tests.faults.out_of_files", kind, proxy.url]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment,
    ) as running:
        assert running.stdout is not None
        assert running.stdin is not None
        during = running.stdout.readline()
        stored.change(2)
        rest, errors = running.communicate("\n", timeout=30)
    assert (running.returncode, errors) == (0, "")
    assert json.loads(during) == {"value": 1, "state": "stale", "error": "ConnectError"}
    records = ["INFO setting is outdated", "ERROR error during heksher update", "INFO heksher update works again"]
    assert json.loads(rest) == {"value": 2, "state": "fresh", "records": records}


@pytest.fixture(scope="module")
def service_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple["subprocess.Popen[str]", Stored]]:
    """Return a service in a process of its own, with the setting."""
    folder = tmp_path_factory.mktemp("service")
    database = f"sqlite:///{folder / 'settings.db'}"
    with process("--database", database, "--context-features", ";".join(FEATURES)) as (running, api):
        yield running, Stored(api)


def test_a_stopped_service(
    program: Program, service_process: tuple["subprocess.Popen[str]", Stored], setting: Setting[int], log: Log
) -> None:
    """A service that hangs is noticed, the last values stay, and when it continues the client follows again."""
    running, stored = service_process
    stored.change(1)
    client = program.run(stored.api.url, **QUICK)
    assert setting.get(environment="e", user="a") == 1
    running.send_signal(signal.SIGSTOP)
    try:
        until(lambda: client.status.consecutive_failures > 1)
        assert client.status.state == "stale"
        assert isinstance(client.status.last_error, httpx.TimeoutException)
        assert setting.get(environment="e", user="a") == 1
    finally:
        running.send_signal(signal.SIGCONT)
    stored.change(2)
    until(lambda: setting.get(environment="e", user="a") == 2)
    program.wait_until_fresh(client)
    assert log.warnings == [("ERROR", "error during heksher update")]
    assert log.times("heksher update works again") == 1
