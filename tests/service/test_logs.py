"""Log records of the service, and their formats."""

import json
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from heksherlite.cli.logs import LogFormat, configure_logging
from heksherlite.service import embedded
from heksherlite.service.domain.tokens import Scope
from tests.service.in_process import Application, with_application
from tests.service.test_processes import process
from tests.service.tokens import WITH_TOKENS, make_token


@contextmanager
def configured(log_format: LogFormat) -> Iterator[None]:
    """Configure logging as in a new process, and restore it afterwards."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(logging.getLogger(), "handlers", [])
        for name in (None, "alembic", "uvicorn"):
            patched.setattr(logging.getLogger(name), "level", logging.getLogger(name).level)
        configure_logging(log_format)
        yield


def test_a_record_is_a_json_object_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A record has the time in UTC, level, logger, message, details and traceback."""
    said = {"reason": 'a\nb "c" ü \udcff', "where": Path("/a"), "n": None}
    before = datetime.now(UTC)
    with configured("json"):
        logger = logging.getLogger("heksherlite.some.where")
        logger.warning("the %s is away", "database", extra=said)
        try:
            int("x")
        except ValueError:
            logger.exception("failed", extra={"color_message": "\033[1m"})
    first, second = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert before <= datetime.fromisoformat(first.pop("timestamp")) <= datetime.now(UTC)
    assert first == {
        **said,
        "level": "WARNING",
        "logger": "heksherlite.some.where",
        "message": "the database is away",
        "where": "/a",
    }
    assert second.keys() == {"timestamp", "level", "logger", "message", "exception"}
    assert second["exception"].startswith("Traceback")
    assert second["exception"].endswith("ValueError: invalid literal for int() with base 10: 'x'")
    assert second["timestamp"].endswith("+00:00")


def test_text_has_the_details_too(capsys: pytest.CaptureFixture[str]) -> None:
    """A line has the message and its details, in which a line break cannot imitate a record."""
    with configured("text"):
        logging.getLogger("a").warning("away", extra={"reason": "no\n2026 INFO b: x", "pid": 7, "empty": ""})
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(r' WARNING a: away reason="no\n2026 INFO b: x" pid=7 empty=""')


def records_of(caplog: pytest.LogCaptureFixture, name: str) -> list[dict[str, Any]]:
    return [vars(record) for record in caplog.records if record.name == name]


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO])
def test_requests_are_not_logged_by_default(caplog: pytest.LogCaptureFixture, level: int) -> None:
    """Requests to an embedded service are not logged, even if the program logs everything."""
    with caplog.at_level(level), embedded() as service:
        assert httpx.get(service.url + "/api/v1/query").status_code == 200
    about = [record for record in caplog.records if "uvicorn" in record.name or "heksherlite" in record.name]
    assert [record.getMessage() for record in about if "/api/v1/query" in record.getMessage()] == []
    assert records_of(caplog, "heksherlite.access") == []


def test_the_access_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A record has client, method, route, status, duration and revision, and neither token nor query string."""
    token = make_token(tmp_path / "in_process.db", "reader", Scope.READ)

    async def look(made: Application) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        await made.http.get("/api/v1/rules/7?secret=1", headers=headers)
        await made.http.get("/api/v1/query", headers={"api_token": f"{token}x"})
        await made.http.get("/nowhere")

    with caplog.at_level(logging.INFO):
        with_application(tmp_path, look, access=WITH_TOKENS, access_log=True)
    records = records_of(caplog, "heksherlite.access")
    told = [
        [record[name] for name in ("client", "by", "method", "path", "route", "status", "revision")]
        for record in records
    ]
    rule = "/api/v1/rules/{rule_id}"
    assert told == [
        ["127.0.0.1", "reader", "GET", "/api/v1/rules/7", rule, 404, 1],
        ["127.0.0.1", None, "GET", "/api/v1/query", "/api/v1/query", 401, 1],
        ["127.0.0.1", None, "GET", "/nowhere", None, 404, 1],
    ]
    assert all(0 < record["duration"] < 3600 for record in records)
    everything = repr([vars(record) for record in caplog.records if not record.name.startswith("http")])
    assert token.rsplit("_", 1)[1] not in everything
    assert "secret" not in everything


def test_a_fault_is_logged_as_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that ends in an exception is logged as 500."""

    async def look(made: Application) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(made.store, "at", None)
            await made.http.get("/api/v1/query?at=1")

    with caplog.at_level(logging.INFO):
        with_application(tmp_path, look, access_log=True)
    assert [record["status"] for record in records_of(caplog, "heksherlite.access")] == [500]


@pytest.mark.thorough
@pytest.mark.parametrize("workers", ["1", "2"])
def test_every_line_of_a_service_is_json(tmp_path: Path, workers: str) -> None:
    """Every line that a process of the service logs is a JSON object, also those of uvicorn."""
    path = tmp_path / "a.db"
    arguments = ("--database", f"sqlite:///{path}", "--auth", "tokens", "--workers", workers)
    with process(*arguments, "--log-format", "json", "--access-log") as (running, api):
        assert api.get("query").status_code == 401
        assert httpx.get(api.url + "/api/v1/query", headers={"Authorization": "Bearer hkl_x"}).status_code == 401
        with socket.create_connection((api.http.base_url.host, api.http.base_url.port or 80)) as connection:
            connection.sendall(b"nonsense\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 400")
        running.terminate()
        assert running.wait(30) == 0
        assert running.stderr is not None
        lines = [json.loads(line) for line in running.stderr]
    assert {line["logger"] for line in lines} >= {
        "heksherlite.access",
        "heksherlite.service.api.authorizer",
        "uvicorn.error",
    }
    assert all(datetime.fromisoformat(line["timestamp"]).tzinfo is UTC for line in lines)
