"""The example applications on their real servers, while settings change: no request reads two different updates."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count, cycle

import httpx
import pytest

from heksherlite.admin import AdminClient, PutRule, SetDefault
from heksherlite.service import embedded
from tests.documentation.pages import ROOT
from tests.service.api import Api
from tests.waiting import until

EXAMPLES = ROOT / "examples" / "web"
UVICORN = ("uvicorn", "--port", "0", "--no-access-log")
GUNICORN = ("gunicorn", "--preload", "--workers", "2", "--threads", "4", "--bind", "127.0.0.1:0")
JOHN = 1_000_000
"""How much larger the numbers of john are than those of others."""

BEFORE = {0}
"""What a new worker of gunicorn reads until its first update."""

SERVERS = {
    "FastAPI on uvicorn": ((*UVICORN, "fastapi_shop:app"), ["terms", "dependency", "statement", "orders"]),
    "Django on gunicorn": ((*GUNICORN, "django_shop:application"), ["terms", "tasks", "statement"]),
    "Django on uvicorn": (
        (*UVICORN, "--lifespan", "off", "django_shop:asgi_application"),
        ["terms", "tasks", "async_statement"],
    ),
    "Flask on gunicorn": ((*GUNICORN, "flask_shop:app"), ["terms", "statement"]),
}


@contextmanager
def running(command: Sequence[str], service_url: str) -> Iterator[str]:
    """Yield the URL of an application that runs on its server."""
    with subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=EXAMPLES,
        env={**os.environ, "HEKSHER_URL": service_url},
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stderr is not None
        lines: list[str] = []
        for line in server.stderr:
            lines.append(line)
            if found := re.search(r"(?:running on|Listening at:) (http://127\.0\.0\.1:\d+)", line):
                break
        else:
            pytest.fail("".join(lines))
        reading = threading.Thread(target=lines.extend, args=(server.stderr,), daemon=True)
        reading.start()
        try:
            yield found[1]
        finally:
            server.terminate()
            server.wait(60)
            reading.join(60)
    assert not re.search(r"Traceback|ERROR", "".join(lines)), "".join(lines)


@contextmanager
def changing(url: str) -> Iterator[None]:
    """Change both settings all the time, to the same number in each change."""
    stop = threading.Event()

    def change() -> None:
        with AdminClient(url) as admin:
            for number in count(1):
                if stop.wait(0.01):
                    return
                admin.change(
                    [
                        operation
                        for name in ("discount", "shipping")
                        for operation in (
                            SetDefault(setting=name, value=number),
                            PutRule(setting=name, feature_values={"user": "john"}, value=JOHN + number),
                        )
                    ]
                )

    with ThreadPoolExecutor(1) as pool:
        changes = pool.submit(change)
        try:
            yield
        finally:
            stop.set()
            changes.result()


def numbers_in(response: httpx.Response) -> set[int]:
    """Return the numbers that a response contains."""
    assert response.status_code == 200, response.text
    numbers = {int(number) for number in re.findall(r"\d+", response.text)}
    assert numbers
    return numbers


def visit(url: str, paths: Sequence[str], requests: int) -> tuple[list[str], set[int]]:
    """Send requests in 4 threads. Return the responses that are wrong, and all numbers that were seen."""
    wrong: list[str] = []
    seen: set[int] = set()

    def send(start: int) -> None:
        with httpx.Client(base_url=url, timeout=60) as http:
            for number, path in zip(range(start, start + requests // 4), cycle(paths), strict=False):
                user = "john" if number % 2 else "jane"
                response = http.request("POST" if path == "orders" else "GET", f"/{path}", headers={"x-user": user})
                numbers = numbers_in(response)
                seen.update(numbers)
                is_of_john = min(numbers) >= JOHN
                if len(numbers) > 1 or (numbers != BEFORE and is_of_john != (user == "john")):
                    wrong.append(f"{path} of {user}: {response.text}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, range(0, requests, requests // 4)))
    return wrong, seen


@pytest.mark.thorough
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SERVERS)
def test_no_request_reads_two_updates(name: str) -> None:
    """In thousands of requests in threads, tasks, bodies and background tasks, each has one update and its own user."""
    command, paths = SERVERS[name]
    requests = 4000 if "FastAPI" in name else 2000
    with embedded(context_features=["user"]) as service, running(command, service.url) as url:
        api = Api(service.url)
        until(lambda: len(api.get("settings").json()["settings"]) == 2)
        with changing(service.url):
            until(lambda: max(numbers_in(httpx.get(f"{url}/terms", headers={"x-user": "john"}))) > JOHN)
            wrong, seen = visit(url, paths, requests)
        api.close()
        assert wrong == []
        assert len(seen) > 50, seen  # the settings did change meanwhile
        if "orders" in paths:
            until(lambda: len(httpx.get(f"{url}/invoices").json()) >= requests // len(paths))
            invoices = [re.findall(r"\d+", invoice) for invoice in httpx.get(f"{url}/invoices").json()]
            assert [numbers for numbers in invoices if len(set(numbers)) > 1] == []
