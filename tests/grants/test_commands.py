"""The commands as processes, against real servers and sockets."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from heksherlite.grants import (
    CacheGrant,
    DeviceCodeGrant,
    FileTokenStore,
    Manifest,
    RedeemGrant,
    StaticDiscovery,
    WellKnownDiscovery,
)
from heksherlite.grants.remote.beacon import encode_beacon
from tests.grants.endpoint import CONFIG, Received, Scripted, ScriptedEndpoint
from tests.grants.loads import loaded

COMMAND = [sys.executable, "-W", "error", "-m", "heksherlite"]


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False, env=environment()
    )


def environment() -> dict[str, str]:
    """Return the environment of a command, in which the state of this test is its own."""
    return {**os.environ, "COLUMNS": "80", "BROWSER": "true"}


@contextmanager
def running(*arguments: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a command during the block, and end it as a person would."""
    with subprocess.Popen(
        [*COMMAND, *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            finally:
                process.kill()  # only if it still runs


@pytest.fixture
def port() -> int:
    """Return a UDP port that is free."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("", 0))
        number: int = probe.getsockname()[1]
        return number


def approve(endpoint: ScriptedEndpoint, after: int = 1) -> None:
    """Script a person who approves after a number of polls."""

    def decide(_: Received) -> Scripted:
        if len(endpoint.of("challenge")) <= after:
            return Scripted({"status": "pending"})
        endpoint.tokens["granted-token"] = CONFIG
        return Scripted({"status": "granted", "token": "granted-token"})

    endpoint.script["/f/challenge/"] = decide


def test_login_whoami_logout(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    """Login prints the page and caches the facts, whoami lists the groups, logout removes all; no secret is printed."""
    approve(endpoint)
    result = run(
        "login", endpoint.url, "--identifier", "app", "--scope", "a,b", "--scope", "c", "--no-browser", folder=tmp_path
    )
    assert result.returncode == 0, result.stderr
    assert f"{endpoint.base_url}configure/?device_code=made-here-0&grant=device_code" in result.stderr
    assert "approve if it shows the code made-here-0" in result.stderr
    assert result.stdout == "Stored the facts of app in .fakts_cache.json: database, heksher\n"
    path = tmp_path / ".fakts_cache.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert endpoint.of("start")[0].body["manifest"] == {"identifier": "app", "version": "1", "scopes": ["a", "b", "c"]}

    who = run("whoami", folder=tmp_path)
    assert re.fullmatch(
        rf"app 1 at {endpoint.url}\nsince .*, in \.fakts_cache\.json\ngroups: database, heksher\n", who.stdout
    )
    for output in (result, who):
        assert not re.search("hunter2|granted-token", output.stdout + output.stderr)

    assert set(FileTokenStore().directory.glob("*.token"))
    program = DeviceCodeGrant(
        manifest=Manifest(identifier="app", version="1"), discovery=WellKnownDiscovery(url=endpoint.url)
    )
    assert loaded(program) == CONFIG  # the token of login is kept for it
    assert len(endpoint.of("start")) == 1

    assert run("logout", folder=tmp_path).stdout == "Deleted .fakts_cache.json.\n"
    assert not set(FileTokenStore().directory.glob("*.token"))
    assert not path.exists()
    assert run("logout", folder=tmp_path).stdout == ".fakts_cache.json does not exist.\n"
    who = run("whoami", folder=tmp_path)
    assert who.returncode == 1
    assert who.stderr == "Error: .fakts_cache.json does not exist; heksherlite login creates it\n"


def test_programs_use_the_facts_of_login(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    """A program with CacheGrant needs no approval after login."""
    approve(endpoint)
    arguments = ["--identifier", "app", "--cache-file", "facts.json", "--hash", "v1", "--no-browser", "--qr"]
    result = run("login", endpoint.url, *arguments, folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "▄" in result.stderr
    asks = DeviceCodeGrant(
        manifest=Manifest(identifier="app", version="1"), discovery=StaticDiscovery(base_url="http://127.0.0.1:9/")
    )
    assert loaded(CacheGrant(asks, cache_file=tmp_path / "facts.json", hash="v1")) == CONFIG


def test_a_token_that_the_operator_has(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    """Login keeps a claim token for programs if the endpoint accepts it, and writes no facts."""
    arguments = ["login", endpoint.url, "--identifier", "app", "--claim-token"]
    result = run(*arguments, "unknown-token", folder=tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    assert "there is no token ********" in result.stderr
    result = run(*arguments, " static-token ", folder=tmp_path)
    assert result.stdout == f"Kept the token of app in {FileTokenStore().directory}.\n", result.stderr
    assert list(tmp_path.iterdir()) == []
    manifest, discovery = Manifest(identifier="app", version="1"), WellKnownDiscovery(url=endpoint.url)
    assert loaded(RedeemGrant(manifest=manifest, token="spent", discovery=discovery)) == CONFIG  # noqa: S106
    assert endpoint.of("redeem") == []


@pytest.mark.thorough
def test_failed_login(endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    """A denied or late approval, an unreachable endpoint or an unwritable file is one line, and no file is written."""
    endpoint.script["/f/challenge/"] = Scripted({"status": "denied"})
    start = ["--identifier", "app", "--no-browser"]
    for arguments, message in [
        ([endpoint.url, *start], f"Error: {endpoint.base_url}challenge/: access was denied\n"),
        (
            ["http://127.0.0.1:9", *start],
            "Error: http://127.0.0.1:9/.well-known/fakts: ConnectError: Connection refused",
        ),
        (["ftp://host", *start], "Error: Invalid value: expected a URL like 'https://host:port'"),
        ([endpoint.url, "--identifier", ""], "Error: Invalid value: a manifest needs an identifier and a version"),
    ]:
        result = run("login", *arguments, folder=tmp_path)
        assert result.returncode in (1, 2)
        assert message in result.stderr
    endpoint.script["/f/challenge/"] = Scripted({"status": "pending"})
    result = run("login", endpoint.url, *start, "--timeout", "0.5", folder=tmp_path)
    assert "nobody approved or denied within 0.5 s" in result.stderr
    approve(endpoint, 0)
    result = run("login", endpoint.url, *start, "--cache-file", "missing/facts.json", folder=tmp_path)
    assert "Error: cannot write missing/facts.json: No such file or directory\n" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_foreign_files(tmp_path: Path) -> None:
    """Neither whoami nor logout uses a file that is not a cache file."""
    path = tmp_path / "precious.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps({"a": "hunter2"}))
    for command in ("whoami", "logout"):
        result = run(command, "--cache-file", "precious.json", folder=tmp_path)
        message = "Error: precious.json has no usable facts: it is not a cache file of heksherlite\n"
        assert result.returncode == 1
        assert result.stderr == message
    assert path.exists()


@pytest.mark.thorough
def test_discover(endpoint: ScriptedEndpoint, port: int, tmp_path: Path) -> None:
    """Endpoints whose beacons are received are listed once each with their names, and others with their errors."""
    endpoint.script["/.well-known/fakts"] = Scripted(
        {"name": "the \x1b[2Jname", "base_url": endpoint.base_url, "description": "of this test"}
    )
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending,
        running("discover", "--timeout", "6", "--port", str(port), folder=tmp_path) as process,
    ):
        while process.poll() is None:
            for url in (endpoint.url, "http://127.0.0.1:9"):
                sending.sendto(encode_beacon(url), ("127.0.0.1", port))
            time.sleep(0.05)
        output, errors = process.communicate(timeout=60)
    assert output == f"{endpoint.url}  the �[2Jname  of this test\n"
    assert errors.count("http://127.0.0.1:9: not an endpoint: ConnectError") == 1


@pytest.mark.thorough
def test_discover_without_result(port: int, tmp_path: Path) -> None:
    """No beacon is an error, and so is an address of another machine."""
    result = run("discover", "--timeout", "0.2", "--port", str(port), folder=tmp_path)
    assert result.returncode == 1
    assert result.stderr == "Error: no endpoint was announced within 0.2 seconds\n"
    result = run("discover", "--address", "198.51.100.1", folder=tmp_path)
    assert "Error: cannot listen for beacons on UDP port 45678: Cannot assign requested address\n" in result.stderr


def test_beacon(port: int, tmp_path: Path) -> None:
    """Beacons are sent repeatedly to the named interface until the command is interrupted."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiving:
        receiving.bind(("", port))
        receiving.settimeout(30)
        arguments = ["http://host:1", "--interface", "lo", "--interval", "0.1", "--port", str(port)]
        with running("beacon", *arguments, folder=tmp_path) as process:
            for _ in range(3):
                assert receiving.recv(2048) == encode_beacon("http://host:1")
    assert process.returncode == 0


def test_beacon_with_invalid_arguments(tmp_path: Path) -> None:
    """An unknown interface and an invalid URL are rejected, and the error names the existing interfaces."""
    result = run("beacon", "http://host:1", "--interface", "nowhere0", folder=tmp_path)
    assert result.returncode == 2
    assert "no interface 'nowhere0' is up with an IPv4 address; those that are: " in " ".join(result.stderr.split())
    assert run("beacon", "host:1", folder=tmp_path).returncode == 2
