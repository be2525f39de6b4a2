"""The service as a process: command line, signals, kills, and several processes on one file."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, contextmanager
from pathlib import Path

import anyio
import httpx
import pytest
from click.testing import CliRunner

from heksherlite import __version__
from heksherlite.cli.commands import heksherlite
from heksherlite.grants import alisten
from tests.service.api import FEATURES, Api
from tests.service.stores import run_sql
from tests.waiting import until

SERVE = [sys.executable, "-W", "error", "-m", "heksherlite", "serve"]


def environment(**variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HEKSHER_")}
    return {**kept, **variables}


@contextmanager
def process(*arguments: str, **variables: str) -> Iterator[tuple[subprocess.Popen[str], Api]]:
    """Run the service on a free port, and kill it at the end."""
    command = [*SERVE, "--port", "0", *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(**variables)
    ) as running:
        try:
            assert running.stdout is not None
            line = running.stdout.readline()
            assert " at http://" in line, line
            api = Api(line.split()[-1])
            with api.http:
                yield running, api
        finally:
            running.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.thorough)])
def test_signals_end_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    """SIGTERM and Ctrl-C end the service within 2 s with status 0, with connections open."""
    with process("--database", f"sqlite:///{tmp_path}/a.db") as (running, api):
        api.http.get("/api/health")
        address = (api.http.base_url.host, api.http.base_url.port or 80)
        with socket.create_connection(address):
            sent = time.monotonic()
            running.send_signal(number)
            assert running.wait(10) == 0
            assert time.monotonic() - sent < 20


@pytest.mark.thorough
def test_flags_win_over_the_environment(tmp_path: Path) -> None:
    """Environment variables are equivalent to options, and options take precedence."""
    variables = {
        "HEKSHER_DB_CONNECTION_STRING": f"sqlite+aiosqlite:///{tmp_path}/variable.db",
        "HEKSHER_STARTUP_CONTEXT_FEATURES": "a;b",
    }
    with process(**variables) as (_, api):
        assert api.features() == ["a", "b"]
    with process("--context-features", "c", "--database", f"sqlite:///{tmp_path}/flag.db", **variables) as (_, api):
        assert api.features() == ["c"]
    assert {path.name for path in tmp_path.glob("*.db")} == {"variable.db", "flag.db"}


@pytest.mark.thorough
def test_the_default_database_is_in_the_data_folder(tmp_path: Path) -> None:
    """Without a URL, the file is in the data folder of the user, and its path is printed."""
    variables = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data")}
    with process(**variables) as (running, api):
        api.call("POST", "context_features", {"context_feature": "kept"})
        running.terminate()
        running.wait(10)
    files = list(tmp_path.rglob("settings.db"))
    assert len(files) == 1
    with process(**variables) as (_, api):
        assert api.features() == ["kept"]


def test_errors_are_one_line(tmp_path: Path) -> None:
    """A port in use is reported in one line, with status 1."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        result = subprocess.run(
            [*SERVE, "--port", port, "--database", f"sqlite:///{tmp_path}/a.db"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env=environment(),
        )
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert result.stderr.startswith(f"Error: cannot listen on 127.0.0.1, port {port}: ")


@pytest.mark.parametrize(
    ("arguments", "variables", "message"),
    [
        (["--database", "mysql://user:secret@host/db"], {}, "use sqlite:///PATH or postgresql://"),
        (["--database", "postgresql://user:secret@127.0.0.1:1/db"], {}, "postgresql://user@127.0.0.1:1/db: "),
        (["--database", "postgresql://user:secret@127.0.0.1:1/db", "--workers", "2"], {}, "cannot use database"),
        ([], {"HEKSHER_DB_CONNECTION_STRING": "sqlite:////no/where/a.db"}, "cannot use database /no/where/a.db"),
        (["--context-features", "a;a"], {}, "have duplicates"),
        (["--host", "nowhere.invalid"], {}, "cannot listen on nowhere.invalid"),
        (["--port", "70000"], {}, "--port"),
        (["--keep-history", "0"], {}, "--keep-history"),
        (["--beacon"], {}, "--beacon needs --public-url, or a --host that other machines can reach"),
        (["--host", "0.0.0.0", "--insecure", "--beacon"], {}, "--beacon needs --public-url"),  # noqa: S104
        (["--name", ""], {}, "the name of the service must be a printable text"),
    ],
)
def test_unusable_options_are_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    variables: dict[str, str],
    message: str,
) -> None:
    """Unusable options are reported in one line, without passwords."""
    monkeypatch.chdir(tmp_path)
    defaults = {"HEKSHER_DB_CONNECTION_STRING": "sqlite:///a.db"}
    result = CliRunner(env={**defaults, **variables}).invoke(heksherlite, ["serve", "--port", "0", *arguments])
    assert result.exit_code in {1, 2}
    assert message in result.output.splitlines()[-1]
    assert "secret" not in result.output


@pytest.mark.thorough
def test_name_and_beacons(tmp_path: Path) -> None:
    """The service has the name that it was given, and programs on the network hear where it is."""
    url = "http://settings.example.com:8888"
    options = ("--public-url", url, "--beacon", "--name", "Shop, test")

    async def listen() -> str:
        with anyio.fail_after(60):
            async with aclosing(alisten()) as urls:
                return await anext(heard async for heard in urls if heard == url)

    with process("--database", f"sqlite:///{tmp_path}/a.db", *options) as (_, api):
        assert api.http.get("/.well-known/fakts").json()["name"] == "Shop, test"
        assert anyio.run(listen) == url


@pytest.mark.thorough
def test_old_history_is_forgotten(tmp_path: Path) -> None:
    """With --keep-history, older changes are deleted at the start, except for the last one."""
    database = f"sqlite:///{tmp_path}/a.db"
    with process("--database", database, "--context-features", ";".join(FEATURES)) as (_, api):
        api.declare("a")
        api.declare("b")
        assert len(api.history()) == 3
    with process("--database", database, "--keep-history", "1") as (_, api):
        api.declare("c")
        assert len(api.history()) == 4
    with process("--database", database, "--keep-history", "1e-9") as (_, api):
        until(lambda: [record["revision"] for record in api.history()] == [4])
        assert api.query().keys() == {"a", "b", "c"}


def test_help_names_every_option() -> None:
    """The help describes the options and environment variables."""
    text = CliRunner().invoke(heksherlite, ["serve", "--help"]).output
    for name in (
        "--host",
        "--port",
        "--database",
        "--context-features",
        "--keep-history",
        "--workers",
        "HEKSHER_DB_CONNECTION_STRING",
    ):
        assert name in text
    assert "HEKSHER_STARTUP_CONTEXT_FEATURES" in text
    assert __version__ in CliRunner().invoke(heksherlite, ["--version"]).output


@pytest.mark.parametrize("missing", ["click", "fastapi", "sqlalchemy"])
def test_without_the_extra_it_says_which_to_install(missing: str, tmp_path: Path) -> None:
    """If a library of the extra is missing, the command names both without a traceback."""
    program = f"import sys; sys.modules[{missing!r}] = None; from heksherlite.cli import main; main()"
    command = [sys.executable, "-c", program, "serve", "--port", "0", "--database", f"sqlite:///{tmp_path}/a.db"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=environment())
    assert result.returncode == 1
    assert missing in result.stderr
    assert "heksherlite[service]" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.thorough
def test_a_killed_service_loses_no_acknowledged_write(database: str) -> None:
    """After SIGKILL during writes, the database opens and has every acknowledged write."""
    acknowledged: list[int] = []
    enough = threading.Event()

    def write(api: Api, writer: int) -> None:
        for number in range(10_000):
            value = writer * 10_000 + number
            try:
                api.add_rule(value, user=f"u{value}")
            except httpx.TransportError:
                return
            acknowledged.append(value)
            if len(acknowledged) > 100:
                enough.set()

    with process("--database", database, "--context-features", ";".join(FEATURES)) as (running, api):
        api.declare()
        with ThreadPoolExecutor() as pool:
            writers = [pool.submit(write, api, writer) for writer in range(4)]
            assert enough.wait(30)
            running.kill()
            for writer in writers:
                writer.result()
    with process("--database", database) as (_, api):
        stored = {rule["value"] for rule in api.query()["cache_ttl"]["rules"]}
        assert set(acknowledged) <= stored
        assert len(stored) <= len(acknowledged) + 4
        assert api.add_rule(1, user="after") == len(stored) + 1
    if database.startswith("sqlite"):
        assert run_sql(database, "PRAGMA integrity_check") == [("ok",)]
        assert run_sql(database, "PRAGMA foreign_key_check") == []


@pytest.mark.thorough
def test_two_services_share_a_database(database: str) -> None:
    """Writers through two processes lose nothing, and each process shows the writes of the other."""
    arguments = ("--database", database, "--context-features", ";".join(FEATURES))
    with process(*arguments) as (_, one), process(*arguments) as (_, two):
        one.declare()
        until(lambda: two.get("settings/cache_ttl").status_code == 200)
        with ThreadPoolExecutor(8) as pool:
            apis = (one, two)
            ids = list(pool.map(lambda value: apis[value % 2].add_rule(value, user=f"u{value}"), range(60)))
        assert sorted(ids) == list(range(1, 61))
        until(lambda: one.rule_ids() == two.rule_ids() == sorted(ids))
        assert one.state() == two.state()
        tags = [api.get("query", settings="cache_ttl").headers["etag"] for api in (one, two)]
        assert tags[0] == tags[1]
        one.call("DELETE", "settings/cache_ttl")
        until(lambda: two.get("settings").json() == {"settings": []})


def test_many_writers_at_once(api: Api) -> None:
    """Of conflicting writes exactly one succeeds, nothing is lost, and no response is 5xx."""
    api.declare()
    rule_id = api.add_rule(0, environment="e")

    def compete(number: int) -> list[int]:
        user = {"setting": "cache_ttl", "feature_values": {"user": f"u{number % 10}"}, "value": number}
        responses = [
            api.call("POST", "rules", user),
            api.declare(default_value=number, version="1.1"),
            api.call("POST", f"rules/{rule_id}/metadata", {"metadata": {f"k{number}": number}}),
            api.call("POST", "context_features", {"context_feature": f"f{number % 5}"}),
            api.get("query"),
        ]
        return [response.status_code for response in responses]

    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(compete, range(40)))
    created, upgraded, merged, added, read = zip(*statuses, strict=True)
    assert (created.count(201), created.count(409)) == (10, 30)
    assert upgraded.count(200) >= 1
    assert set(upgraded) <= {200, 409}
    assert set(merged) == {204}
    assert (added.count(204), added.count(409)) == (5, 35)
    assert set(read) == {200}
    assert len(api.get(f"rules/{rule_id}/metadata").json()["metadata"]) == 40
    assert len(api.rule_ids()) == 11
    assert api.setting()["version"] == "1.1"


def test_what_is_loaded_is_not_collected() -> None:
    """A process that only serves excludes what it has loaded from garbage collection, and collects again afterwards.

    It does so less often than others, because large changes make many objects that stay.
    """
    program = """
import gc
from heksherlite.service.server import start_alone

loaded = []
start_alone(lambda: loaded.extend([i] for i in range(10_000)) or print(gc.isenabled()))
print(gc.isenabled(), gc.get_freeze_count() > 10_000, *gc.get_threshold())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "True", "10000", "10", "10"]
