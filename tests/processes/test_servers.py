"""Clients beside packages that change processes, threads and event loops: uWSGI, gevent, eventlet and nest_asyncio."""

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from heksherlite.service import embedded
from tests.service.api import Api
from tests.waiting import until

UWSGI = shutil.which("uwsgi") or shutil.which("uwsgi", path=str(Path(sys.executable).resolve().parent))


@pytest.fixture
def service() -> Iterator[Api]:
    with embedded(context_features=["user"]) as running:
        api = Api(running.url)
        yield api
        api.close()


@contextmanager
def uwsgi(service: Api, *options: str) -> Iterator[str]:
    """Yield the address of the application in uWSGI."""
    assert UWSGI is not None
    command = [UWSGI, "--http-socket", "127.0.0.1:0", "--die-on-term", "--enable-threads", "--need-app"]
    application = [
        "--module",
        "tests.processes.prefork:app",
        "--virtualenv",
        sys.prefix,
        "--pythonpath",
        str(Path.cwd()),
    ]
    with subprocess.Popen(
        [*command, *application, *options],
        env={**os.environ, "SERVICE_URL": service.url},
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stderr is not None
        log = iter(server.stderr.readline, "")
        reading = threading.Thread(target=list, args=(log,), daemon=True)
        try:
            address = next(found[1] for line in log if (found := re.search(r"bound to TCP address (127[\d.:]+)", line)))
            reading.start()
            yield f"http://{address}"
        finally:
            server.terminate()
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                server.kill()
                raise  # a worker that hangs keeps the server from ending
            if reading.is_alive():
                reading.join(30)


@pytest.mark.skipif(UWSGI is None, reason="uwsgi is not installed")
@pytest.mark.parametrize(
    "options",
    [
        ["--master", "--processes", "2"],
        pytest.param(
            ["--master", "--processes", "2", "--py-call-osafterfork"],
            marks=pytest.mark.skipif(
                sys.version_info >= (3, 13), reason="uWSGI 2.0.31 itself aborts workers of Python 3.13 with this option"
            ),
        ),
        ["--master", "--processes", "2", "--lazy-apps"],
        [],
    ],
    ids=" ".join,
)
def test_workers_of_uwsgi_follow(service: Api, options: list[str]) -> None:
    """Each worker responds and follows a change, however uWSGI forks it."""
    seen: dict[str, str] = {}

    def all_follow(address: str) -> bool:
        try:
            pid, value = httpx.get(address, timeout=5).text.split()
        except httpx.HTTPError:  # the server is starting
            return False
        seen[pid] = value
        return len(seen) == (2 if options else 1) and set(seen.values()) == {"7"}

    with uwsgi(service, *options) as address:
        until(lambda: service.get("settings/x").status_code == 200)
        service.add_rule(7, "x", user="a")
        until(lambda: all_follow(address))


GEVENT = """
from gevent import monkey
monkey.patch_all()
import asyncio, sys, gevent
from heksherlite import TRACK_ALL, Setting, ThreadHeksherClient
setting = Setting("x", int, ["user"], 1)
client = ThreadHeksherClient(sys.argv[1], 0.05, ["user"])
client.track_contexts(user=TRACK_ALL)
with client:
    print(client.status.state, flush=True)
    with gevent.Timeout(30):
        while setting.get(user="a") == 1:
            gevent.sleep(0.01)
    async def one():
        return 1
    print(setting.get(user="a"), asyncio.run(one()))
print(client.status.state)
"""


@pytest.mark.skipif(find_spec("gevent") is None, reason="gevent is not installed")
def test_a_program_that_gevent_has_patched(service: Api) -> None:
    """The client follows a change, and the program can still run event loops of its own."""
    with subprocess.Popen(
        [sys.executable, "-c", GEVENT, service.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "fresh\n"
        service.add_rule(7, "x", user="a")
        out, errors = program.communicate(timeout=60)
    assert (out, errors, program.returncode) == ("7 1\nclosed\n", "", 0)


IMPORTS = """
from gevent import monkey
monkey.patch_all()
import socket, sys
from heksherlite.http.native_threads import start_native_thread
thread = monkey.get_original("_thread", "get_ident")
main = thread()
ended = []
imported = []
class Finder:
    def find_spec(name, path, target=None):
        if thread() != main:
            imported.append(name)
sys.meta_path.insert(0, Finder)
def work():
    socket.socketpair()
    ended.append(True)
start_native_thread(work, "work")
while not ended:
    monkey.get_original("time", "sleep")(0.01)  # without a hub
print(imported)
"""


@pytest.mark.skipif(find_spec("gevent") is None, reason="gevent is not installed")
def test_the_first_thread_beside_gevent() -> None:
    """The first thread imports nothing for its hub: two threads that did would wait for each other for ever."""
    command = [sys.executable, "-c", IMPORTS]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    assert (ended.stdout, ended.stderr) == ("[]\n", "")


EVENTLET = """
import eventlet
eventlet.monkey_patch()
from heksherlite import ThreadHeksherClient
client = ThreadHeksherClient("http://127.0.0.1:9", 1, ["user"])
try:
    client.set_as_main()
except RuntimeError as error:
    print(error, client.is_live)
"""


@pytest.mark.skipif(find_spec("eventlet") is None, reason="eventlet is not installed")
def test_a_program_that_eventlet_has_patched() -> None:
    """``set_as_main`` is a RuntimeError that names eventlet, and leaves no client."""
    command = [sys.executable, "-W", "ignore", "-c", EVENTLET]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.startswith("eventlet has patched the threads of this program")
    assert ended.stdout.endswith("False\n")


NEST_ASYNCIO = """
import asyncio, sys
import nest_asyncio
nest_asyncio.apply()
from heksherlite import TRACK_ALL, AsyncHeksherClient, Setting, ThreadHeksherClient
setting = Setting("x", int, ["user"], 1)
client_type = ThreadHeksherClient if sys.argv[1] == "thread" else AsyncHeksherClient
client = client_type(sys.argv[2], 0.05, ["user"])
client.track_contexts(user=TRACK_ALL)
async def main():
    async with client:
        print(client.status.state)
if sys.argv[1] == "thread":
    with client:
        print(client.status.state)
else:
    asyncio.run(main())
"""


@pytest.mark.skipif(find_spec("nest_asyncio") is None, reason="nest_asyncio is not installed")
@pytest.mark.parametrize("kind", ["thread", "async"])
def test_a_program_with_nest_asyncio_ends(service: Api, kind: str) -> None:
    """The interpreter ends after the client was closed, and prints nothing."""
    command = [sys.executable, "-c", NEST_ASYNCIO, kind, service.url]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert (ended.stdout, ended.stderr) == ("fresh\n", "")
