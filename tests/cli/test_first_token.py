"""The first token of ``heksherlite serve --auth tokens``."""

import os
import pty
import re
import sqlite3
import stat
import subprocess
import time
from pathlib import Path

import pytest

from heksherlite.service.connections import listen
from heksherlite.service.options import ServiceOptions
from heksherlite.service.server import ServiceThread
from heksherlite.service.storage.urls import open_database
from heksherlite.service.workers import WorkerProcesses
from tests.service.api import Api
from tests.service.test_processes import SERVE, process
from tests.service.tokens import WITH_TOKENS

DAY = 24 * 3600


def stored_expiries(path: Path) -> list[int | None]:
    """Return when each token in a database expires."""
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT expires_at FROM tokens").fetchall()
    connection.close()
    return [expires_at for (expires_at,) in rows]


def test_without_a_terminal_it_is_in_a_private_file(tmp_path: Path) -> None:
    """The output of a container is a log, so it only says where the token is. The token works for 24 hours."""
    arguments = ("--database", f"sqlite:///{tmp_path}/a.db", "--auth", "tokens")
    before = int(time.time())
    with process(*arguments, XDG_DATA_HOME=str(tmp_path)) as (running, api):
        assert running.stdout is not None
        line = running.stdout.readline()
        file = tmp_path / "heksherlite" / "first-token"
        assert line == f"The first token, which has every scope and expires in 24 hours, is in {file}\n"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        token = file.read_text("utf-8").strip()
        with Api(api.url, token=token).http as http:
            assert http.get("/api/v1/settings").status_code == 200
    (expires_at,) = stored_expiries(tmp_path / "a.db")
    assert expires_at is not None
    assert before + DAY <= expires_at <= time.time() + DAY


@pytest.mark.thorough
def test_a_file_can_be_chosen(tmp_path: Path) -> None:
    """The file is private, and replaces one that exists."""
    file = tmp_path / "token"
    file.write_text("old", "utf-8")
    arguments = ("--database", f"sqlite:///{tmp_path}/a.db", "--auth", "tokens", "--first-token-file", str(file))
    with process(*arguments) as (running, _):
        assert running.stdout is not None
        assert running.stdout.readline().endswith(f" is in {file}\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert re.fullmatch(r"hkl_\S+\n", file.read_text("utf-8"))


@pytest.mark.thorough
def test_a_terminal_shows_it(tmp_path: Path) -> None:
    """A person at a terminal sees the token, and there is no file."""
    leader, follower = pty.openpty()
    command = [*SERVE, "--port", "0", "--database", f"sqlite:///{tmp_path}/a.db", "--auth", "tokens"]
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path)}
    with subprocess.Popen(command, stdout=follower, stderr=subprocess.DEVNULL, env=environment) as running:
        os.close(follower)
        output = b""
        while output.count(b"\n") < 2:
            output += os.read(leader, 1000)
        running.terminate()
    os.close(leader)
    assert re.search(rb"is shown only this once: hkl_[0-9a-f]{8}_\S{43}\r\n", output)
    assert not (tmp_path / "heksherlite" / "first-token").exists()


@pytest.mark.thorough
def test_a_token_that_cannot_be_written_is_revoked(tmp_path: Path) -> None:
    """If nobody can learn the token, the service does not start and the token is not stored."""
    file = tmp_path / "missing" / "token"
    command = [*SERVE, "--port", "0", "--database", f"sqlite:///{tmp_path}/a.db", "--auth", "tokens"]
    result = subprocess.run(
        [*command, "--first-token-file", str(file)], capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("Error: cannot write the first token: ")
    assert stored_expiries(tmp_path / "a.db") == []


@pytest.mark.parametrize("workers", [1, 2])
def test_a_start_that_fails_leaves_no_token(tmp_path: Path, workers: int) -> None:
    """A service that fails after the database was prepared, here for its socket, takes the token back."""
    listener = listen("127.0.0.1", 0)
    options = ServiceOptions(access=WITH_TOKENS)
    database = tmp_path / "a.db"
    service = (
        ServiceThread(open_database(database), listener, options)
        if workers == 1
        else WorkerProcesses(database, listener, options, count=workers, set_up=int)
    )
    listener.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        service.start()
    assert stored_expiries(database) == []
