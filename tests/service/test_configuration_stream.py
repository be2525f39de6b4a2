"""Changes of groups, secrets and applications reach the programs that have them."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from heksherlite.engine.event_stream import EventStreamReader, ServerSentEvent
from heksherlite.errors import DemandError
from heksherlite.grants import Fakts, Manifest, RedeemGrant, StaticGrant, WellKnownDiscovery
from heksherlite.service import EmbeddedService, embedded
from tests.sdk.conftest import Log, log
from tests.service.api import FEATURES, Api
from tests.service.applications import READER, SHOP, invite, revoke
from tests.service.tokens import EVERY_SCOPE, WITH_TOKENS, make_token
from tests.waiting import until

__all__ = ["log"]

WITH_GROUP = replace(READER, groups=("database",))
MANIFEST = Manifest(identifier=SHOP.identifier, version=SHOP.version, scopes=SHOP.scopes)


@dataclass
class Served:
    path: Path
    url: str
    api: Api

    def put_group(self, **values: Any) -> None:
        assert self.api.call("PUT", "groups/database", {"values": values}).status_code == 204

    def put_secret(self, value: str) -> None:
        assert self.api.call("PUT", "secrets/password", {"value": value}).status_code == 204

    def rotate(self) -> str:
        """Replace the credentials of the application, and return its new claim token."""
        (application,) = self.api.call("GET", "applications").json()["applications"]
        body = {"id": application["id"], "previous_until": int(time.time()) + 86_400}
        token: str = self.api.call("POST", "applications/rotate", body).json()["claim_token"]
        return token

    def redeem(self, **options: Any) -> RedeemGrant:
        discovery = WellKnownDiscovery(url=self.url)
        return RedeemGrant(manifest=MANIFEST, token=invite(self.path, WITH_GROUP), discovery=discovery, **options)

    def claim_token(self) -> str:
        body = {"manifest": MANIFEST.body(), "token": invite(self.path, WITH_GROUP)}
        token: str = self.api.http.post(f"{self.url}/f/redeem/", json=body).json()["token"]
        return token


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    path = tmp_path / "a.db"
    token = make_token(path, "operator", *EVERY_SCOPE)
    with embedded(path, access=WITH_TOKENS, context_features=FEATURES) as service:
        api = Api(service.url, token=token)
        with api.http:
            served = Served(path, service.url, api)
            served.put_group(host="one")
            yield served


@contextmanager
def events(served: Served, token: str) -> Iterator[Iterator[ServerSentEvent]]:
    """Open the stream of an application."""
    with httpx.stream("GET", f"{served.url}/f/stream/", headers={"Authorization": f"Bearer {token}"}) as response:
        assert response.status_code == 200
        reader = EventStreamReader()
        yield (event for chunk in response.iter_raw() for event in reader.read(chunk))


def test_events(served: Served) -> None:
    """The stream begins with the version that a claim returns, and has an event for each change of it."""
    token = served.claim_token()
    claimed = httpx.post(f"{served.url}/f/claim/", json={"token": token}).json()
    assert claimed["stream_url"] == f"{served.url}/f/stream/"
    with events(served, token) as stream:
        ready = next(stream)
        assert (ready.kind, ready.id) == ("ready", claimed["version"])
        served.api.declare("other")  # is not part of it
        served.claim_token()  # another application is not either
        served.put_group(host="two")
        changed = next(stream)
        assert changed.kind == "change"
        assert httpx.post(f"{served.url}/f/claim/", json={"token": token}).json()["version"] == changed.id
        revoke(served.path)
        assert list(stream) == []


def test_tokens_that_do_not_work(served: Served) -> None:
    """Without a token, with an unknown one, and with one for the API, there is no stream."""
    api_token = httpx.post(f"{served.url}/f/claim/", json={"token": served.claim_token()}).json()["config"]["heksher"]
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Bearer {api_token['token']}"}):
        response = httpx.get(f"{served.url}/f/stream/", headers=headers)
        assert (response.status_code, response.json()["status"]) == (401, "error")


def test_secret_values_are_named(served: Served) -> None:
    """A claim says which values are secret, and a program does not display them."""
    served.put_secret("hunter2")
    served.put_group(host="one", login={"code": {"$secret": "password"}}, all=[{"$secret": "password"}])
    fakts = Fakts(StaticGrant(token=served.claim_token(), discovery=WellKnownDiscovery(url=served.url)))
    assert fakts.get("database.login.code") == "hunter2"
    shown = f"{fakts.get()} {fakts.explain()}"
    assert "hunter2" not in shown
    assert "'host': 'one'" in shown
    assert fakts.get("heksher.token") not in shown.replace("'service_url'", "")


def test_a_program_follows(served: Served) -> None:
    """A program gets a changed group, a rotated secret and another order of the features without polling."""
    seen: list[Any] = []
    with Fakts(served.redeem()) as fakts:
        fakts.on_change("database")(seen.append)
        assert fakts.get("database") == {"host": "one"}
        served.put_group(host="two")
        until(lambda: seen == [{"host": "two"}])
        served.put_secret("hunter2")
        served.put_group(password={"$secret": "password"})
        until(lambda: seen[-1] == {"password": "hunter2"})
        served.put_secret("hunter3")
        until(lambda: seen[-1] == {"password": "hunter3"})
        assert fakts.status.state == "fresh"


def test_rotated_credentials_are_announced(served: Served, log: Log) -> None:
    """A program that follows changes learns at once that its credentials were replaced, and until when they work."""
    with Fakts(served.redeem(), refresh_every=3600) as fakts:
        fakts.load()
        until(lambda: fakts.status.is_following)
        assert fakts.status.credentials_expire_at is None
        served.rotate()
        until(lambda: fakts.status.credentials_expire_at is not None)
    assert log.caplog.text.count("credentials expire soon: shop.checkout at") == 1


def test_another_replica(served: Served) -> None:
    """A change that was made through another service on the same database arrives too."""
    seen: list[Any] = []
    with embedded(served.path, access=WITH_TOKENS, context_features=FEATURES) as replica:
        token, discovery = served.claim_token(), WellKnownDiscovery(url=replica.url)
        with Fakts(StaticGrant(token=token, discovery=discovery)) as fakts:
            fakts.on_change("database")(seen.append)
            fakts.load()
            served.put_group(host="two")
            until(lambda: seen == [{"host": "two"}])


def test_a_revoked_program(served: Served, log: Log) -> None:
    """A program whose application is revoked while it runs says so once, and keeps its last facts."""
    with Fakts(served.redeem(), refresh_every=3600) as fakts:
        fakts.load()
        revoke(served.path)
        until(lambda: fakts.status.state == "stale")
        assert isinstance(fakts.status.last_error, DemandError)
        assert fakts.get("database") == {"host": "one"}
    assert log.caplog.text.count("kept token was rejected") == 1
    assert log.caplog.text.count("facts cannot be refreshed") == 1


PROGRAM = """
import sys, threading
from heksherlite.grants import *
url, token = sys.argv[1:]
changed = threading.Event()
grant = StaticGrant(token=token, timeout=200, discovery=WellKnownDiscovery(url=url, timeout=200))
with Fakts(grant) as fakts:
    fakts.on_change("database")(lambda group: (print(group, flush=True), changed.set()))
    fakts.load()
    print("ready", flush=True)
    changed.wait()
"""


@pytest.mark.thorough
def test_fifty_programs(served: Served) -> None:
    """A change of a group reaches fifty programs."""
    token = served.claim_token()
    command = [sys.executable, "-c", PROGRAM, served.url, token]
    programs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(50)]
    try:
        for program in programs:
            assert program.stdout is not None
            assert program.stdout.readline() == "ready\n"
        served.put_group(host="two")
        for program in programs:
            assert program.stdout is not None
            assert program.stdout.readline() == "{'host': 'two'}\n"
    finally:
        for program in programs:
            program.kill()
            program.communicate()


LIFE = """
import sys, logging
from heksherlite.grants import *
logging.basicConfig(level="INFO", stream=sys.stderr)
url, token = sys.argv[1:]
manifest = Manifest(identifier="shop.checkout", version="1.2", scopes=["read"])
grant = RedeemGrant(manifest=manifest, token=token, discovery=WellKnownDiscovery(url=url))
try:
    with Fakts(grant, assert_groups={"database"}) as fakts:
        fakts.on_change("database")(lambda group: print(dict(group), flush=True))
        print({key: str(value) for key, value in fakts.get("database").items()}, flush=True)
        print(fakts.explain(), repr(fakts), fakts.get(), file=sys.stderr)
        sys.stdin.readline()
except GrantError as error:
    print("refused:", error, flush=True)
"""


class Life:
    """A server, in a process of its own."""

    def __init__(self, url: str, token: str) -> None:
        pipe, command = subprocess.PIPE, [sys.executable, "-c", LIFE, url, token]
        self._process: Any = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def line(self) -> str:
        line: str = self._process.stdout.readline()
        return line.strip()

    def log_line(self) -> str:
        """Return the next warning that it logs."""
        lines = iter(self._process.stderr.readline, "")
        return next((line for line in lines if line.startswith("WARNING")), "")

    def end(self) -> str:
        """End it, and return what it logged."""
        _, errors = self._process.communicate("\n", timeout=60)
        assert self._process.returncode == 0, errors
        return str(errors)


@pytest.mark.thorough
def test_the_life_of_a_server(tmp_path: Path) -> None:
    """A server is invited, started, restarted while the endpoint is away, changed, rotated, revoked, invited again."""
    path = tmp_path / "a.db"
    operator = make_token(path, "operator", *EVERY_SCOPE)
    shown: list[str] = []

    @contextmanager
    def serving(port: int = 0) -> Iterator[tuple[EmbeddedService, Served]]:
        with embedded(path, access=WITH_TOKENS, context_features=FEATURES, port=port) as service:
            api = Api(service.url, token=operator)
            with api.http:
                yield service, Served(path, service.url, api)

    with serving() as (service, served):
        url, port = service.url, httpx.URL(service.url).port
        served.put_secret("hunter2")
        served.put_group(host="one", password={"$secret": "password"})
        token = invite(path, WITH_GROUP)
        server = Life(url, token)
        assert server.line() == "{'host': 'one', 'password': 'hunter2'}"
        shown.append(server.end())
    server = Life(url, token)  # the endpoint is away
    assert server.line() == "{'host': 'one', 'password': 'hunter2'}"
    shown.append(server.end())
    assert "endpoint is away, kept facts are used" in shown[-1]
    assert port is not None
    with serving(port) as (_, served):
        served.put_group(host="two", password={"$secret": "password"})
        server = Life(url, token)  # restarted: current facts, by the kept token
        assert server.line() == "{'host': 'two', 'password': 'hunter2'}"
        served.put_group(host="three", password={"$secret": "password"})
        assert server.line() == "{'host': 'three', 'password': '********'}"
        served.put_secret("hunter3")
        assert server.line() == "{'host': 'three', 'password': '********'}"
        command = f"heksherlite login {url} --identifier shop.checkout --claim-token"
        new = served.rotate()  # its credentials are replaced: the running program says what to do, in time
        warning = server.log_line()
        assert re.search(f"credentials expire soon: shop.checkout at .*{command}", warning)
        shown.append(warning + server.end())
        subprocess.run([sys.executable, "-m", *command.split(), new], check=True, stdout=subprocess.DEVNULL)
        server = Life(url, token)
        assert server.line() == "{'host': 'three', 'password': 'hunter3'}"
        shown.append(server.end())
        assert "expire" not in shown[-1]
        revoke(path)
        server = Life(url, token)
        assert "the one-time token is unknown, used, expired" in server.line()
        shown.append(server.end())
        assert shown[-1].count("kept token was rejected") == 1
        server = Life(url, invite(path, WITH_GROUP))  # invited again
        assert server.line() == "{'host': 'three', 'password': 'hunter3'}"
        shown.append(server.end())
    assert "hunter" not in "".join(shown)
    assert token not in "".join(shown)
