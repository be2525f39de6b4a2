"""How soon programs have a changed group of their configuration."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from benchmarks.results import Row
from benchmarks.service.processes import service
from benchmarks.service.sizes import Sizes

_PROGRAM = """
import sys, time
from heksherlite.grants import Fakts, StaticGrant, WellKnownDiscovery

with Fakts(StaticGrant(token=sys.argv[2], discovery=WellKnownDiscovery(url=sys.argv[1]))) as fakts:
    fakts.on_change("group")(lambda _: print(time.time(), flush=True))
    fakts.load()
    print("loaded", flush=True)
    sys.stdin.read()
"""

_SETTLING = 0.5
"""The seconds between looks whether all streams are open."""


def facts(sizes: Sizes) -> list[Row]:
    """Let programs follow their configuration, each in a process of its own, and change a group."""
    with (
        tempfile.TemporaryDirectory(prefix="heksherlite-benchmarks-") as folder,
        service(f"sqlite:///{folder}/settings.db", "--auth", "tokens") as started,
        _operator(f"sqlite:///{folder}/settings.db", started.url) as api,
    ):
        _put(api, 0)
        token = _claim_token(api, started.url)
        with _programs(sizes.programs, started.url, token) as programs:
            _wait_for_streams(api, sizes.programs)
            last, half = [], []
            for number in range(1, sizes.repeats + 1):
                began = time.time()
                _put(api, number)
                took = sorted(float(_line(program)) - began for program in programs)
                half.append(took[len(took) // 2])
                last.append(took[-1])
    what = f"{sizes.programs} programs"
    return [
        Row("facts", f"a changed group until half of {what} have it", "s", half),
        Row("facts", f"a changed group until all of {what} have it", "s", last, target=1, against="value"),
    ]


def _operator(database: str, url: str) -> httpx.Client:
    command = [sys.executable, "-m", "heksherlite", "token", "create", "operator", "--scope", "admin,read"]
    done = subprocess.run([*command, "--database", database], stdout=subprocess.PIPE, text=True, check=True)
    headers = {"Authorization": f"Bearer {done.stdout.split()[-1]}"}
    return httpx.Client(base_url=f"{url}/api/v1", headers=headers, timeout=60)


def _put(api: httpx.Client, number: int) -> None:
    api.put("/groups/group", json={"values": {"number": number}}).raise_for_status()


def _claim_token(api: httpx.Client, url: str) -> str:
    approval = {"scopes": ["read"], "groups": ["group"]}
    invitation = {"identifier": "benchmark", "approval": approval, "expires_at": int(time.time()) + 60}
    one_time_token = api.post("/applications/invite", json=invitation).raise_for_status().json()["one_time_token"]
    body = {"manifest": {"identifier": "benchmark", "version": "1"}, "token": one_time_token}
    return str(httpx.post(f"{url}/f/redeem/", json=body).raise_for_status().json()["token"])


@contextmanager
def _programs(count: int, url: str, token: str) -> Iterator[list["subprocess.Popen[str]"]]:
    command = [sys.executable, "-c", _PROGRAM, url, token]
    pipe = subprocess.PIPE
    programs = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(count)]
    try:
        for program in programs:
            if _line(program) != "loaded":
                raise RuntimeError("a program has no facts")
        yield programs
    finally:
        for program in programs:
            program.kill()
            program.communicate()


def _line(program: "subprocess.Popen[str]") -> str:
    assert program.stdout is not None
    return program.stdout.readline().strip()


def _wait_for_streams(api: httpx.Client, count: int) -> None:
    while f"heksherlite_streams {float(count)}" not in api.get("../../metrics").raise_for_status().text:
        time.sleep(_SETTLING)
