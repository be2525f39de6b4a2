"""Approval on a page of a real server, where the test plays the person."""

import re
import sys
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import pytest

from heksherlite.errors import DemandError
from heksherlite.grants import DeviceCodeGrant, DeviceLogin, Fakts
from heksherlite.grants.remote.device_code import print_instructions
from tests.grants.endpoint import CONFIG, Received, Scripted, ScriptedEndpoint
from tests.grants.loads import loaded
from tests.grants.remote_grants import MANIFEST, device_code
from tests.sdk.conftest import Log
from tests.waiting import until_async


class Person:
    """Is told what to do, and decides by that."""

    def __init__(self, endpoint: ScriptedEndpoint, *decisions: str) -> None:
        self.endpoint = endpoint
        self.decisions = decisions
        self.logins: list[DeviceLogin] = []

    def __call__(self, login: DeviceLogin) -> None:
        self.logins.append(login)
        decisions = list(self.decisions)

        def decide(_: Received) -> Scripted:
            decision = decisions.pop(0) if len(decisions) > 1 else decisions[0]
            if decision != "granted":
                return Scripted({"status": decision})
            self.endpoint.tokens["granted-token"] = CONFIG
            return Scripted({"status": "granted", "token": "granted-token"})

        self.endpoint.script["/f/challenge/"] = decide


def grant(endpoint: ScriptedEndpoint, person: Person | None = None, **options: Any) -> DeviceCodeGrant:
    """Return a grant that asks a person, quickly."""
    told = {"tell": print_instructions if person is None else person}
    return device_code(endpoint, **{**told, **options})


@pytest.mark.anyio
async def test_code_from_the_endpoint(endpoint: ScriptedEndpoint) -> None:
    """The manifest is sent to start, the page displays the code, and the facts are loaded once the person approves."""
    person = Person(endpoint, "waiting", "pending", "granted")
    assert await Fakts(grant(endpoint, person)).aload() == CONFIG
    (login,) = person.logins
    assert (login.identifier, login.code, login.timeout) == ("org.example.app", "made-here-0", 60)
    assert login.page == f"{endpoint.base_url}configure/?device_code=made-here-0&grant=device_code"
    manifest = {**MANIFEST.body(), "scopes": ["read", "write"]}
    assert [request.body for request in endpoint.received] == [
        {"manifest": manifest, "expiration_time": 60},
        *[{"code": "made-here-0"}] * 3,
        {"token": "granted-token"},
    ]


def test_secret_device_code(endpoint: ScriptedEndpoint, log: Log) -> None:
    """The secret device code of the endpoint is sent with each poll; the person and the page only get the user code."""
    endpoint.device_codes = {}
    person = Person(endpoint, "waiting", "granted")
    assert loaded(grant(endpoint, person)) == CONFIG
    (login,) = person.logins
    assert [poll.body for poll in endpoint.of("challenge")] == [
        {"code": "made-here-0", "device_code": "secret-1"},
        {"code": "made-here-0", "device_code": "secret-1"},
    ]
    assert "secret-1" not in login.page + login.code + log.caplog.text


def test_secret_device_code_in_an_error(endpoint: ScriptedEndpoint) -> None:
    """An endpoint that echoes the secret device code does not get it into the error."""
    endpoint.device_codes = {}
    endpoint.script["/f/challenge/"] = lambda request: Scripted({"message": f"no {request.body['device_code']}"}, 403)
    with pytest.raises(DemandError, match=r"403 Forbidden: no \*{8}$"):
        loaded(grant(endpoint, tell=lambda _: None))


@pytest.mark.parametrize("device_code", ["", 5, ["x"], "x" * 1025])
def test_malformed_device_codes(endpoint: ScriptedEndpoint, device_code: Any) -> None:
    """A malformed device code is an error before anybody is instructed."""
    endpoint.script["/f/start/"] = Scripted({"status": "granted", "code": "abc", "device_code": device_code})
    with pytest.raises(DemandError, match="'device_code' must be a string"):
        loaded(grant(endpoint, tell=lambda _: pytest.fail("instructed")))


@pytest.mark.parametrize("status", [404, 405, 501])
def test_code_from_the_grant(status: int, endpoint: ScriptedEndpoint) -> None:
    """Without start, the grant generates a code of six hexadecimal digits and passes the manifest to the page."""
    endpoint.script["/f/start/"] = Scripted(status=status)
    person = Person(endpoint, "granted")
    assert loaded(grant(endpoint, person)) == CONFIG
    (login,) = person.logins
    assert re.fullmatch("[0-9a-f]{6}", login.code)
    parts = urlsplit(login.page)
    assert login.page.startswith(f"{endpoint.base_url}configure/?")
    assert parse_qs(parts.query) == {
        "device_code": [login.code],
        "grant": ["device_code"],
        "version": ["1.0"],
        "scope": ["read write"],
        "identifier": ["org.example.app"],
        "image": ["http://host/i.png"],
    }
    assert endpoint.of("challenge")[0].body == {"code": login.code}


def test_codes_differ(endpoint: ScriptedEndpoint) -> None:
    """Each grant generates a different code."""
    endpoint.makes_codes = False
    person = Person(endpoint, "granted")
    for _ in range(3):
        loaded(grant(endpoint, person, token_store=None))
    assert len({login.code for login in person.logins}) == 3


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (Scripted({"status": "denied"}), "access was denied"),
        (Scripted({"status": "expired"}), "the code has expired"),
        (Scripted({"status": "error", "message": "no made-here-0"}), "error response: no ********"),
        (Scripted({"status": "dreaming"}), "the response has the unknown status 'dreaming'"),
        (Scripted({"status": "granted"}), "'token' must be a string, not nothing"),
        (Scripted({"status": "granted", "token": 5}), "'token' must be a string, not a value of type int"),
        (Scripted({"message": "denied"}, 403), "status 403 Forbidden: denied"),
        (Scripted(status=404), "status 404 Not Found"),
        (Scripted(b"no"), "the response is not JSON"),
        (Scripted([]), "the response must be an object"),
    ],
)
def test_final_responses(response: Scripted, reason: str, endpoint: ScriptedEndpoint) -> None:
    """A denied, expired, rejected or malformed response ends polling with an error that says which it is."""
    endpoint.script["/f/challenge/"] = response
    with pytest.raises(DemandError) as caught:
        loaded(grant(endpoint, tell=lambda _: None))
    assert caught.value.url == f"{endpoint.base_url}challenge/"
    assert reason in caught.value.reason
    assert len(endpoint.of("challenge")) == 1


def test_temporary_errors(endpoint: ScriptedEndpoint) -> None:
    """Polling continues when the endpoint is temporarily unavailable."""
    troubles = [Scripted(status=status) for status in (500, 502, 503, 429)]

    def respond(_: Received) -> Scripted:
        if troubles:
            return troubles.pop()
        endpoint.tokens["late-token"] = CONFIG
        return Scripted({"status": "granted", "token": "late-token"})

    endpoint.script["/f/challenge/"] = respond
    assert loaded(grant(endpoint, tell=lambda _: None)) == CONFIG


@pytest.mark.parametrize("response", [Scripted({"status": "waiting"}), Scripted(status=429)])
def test_retry_after(response: Scripted, endpoint: ScriptedEndpoint) -> None:
    """Retry-After overrides a shorter poll interval."""
    asked: list[float] = []

    def slow_down(_: Received) -> Scripted:
        asked.append(monotonic())
        if len(asked) > 1:
            return Scripted({"status": "denied"})
        return replace(response, headers={"retry-after": "1"})

    endpoint.script["/f/challenge/"] = slow_down
    with pytest.raises(DemandError, match="access was denied"):
        loaded(grant(endpoint, tell=lambda _: None))
    assert asked[1] - asked[0] >= 1


@pytest.mark.parametrize(
    ("response", "trouble"),
    [
        (Scripted({"status": "pending"}), ""),
        (Scripted(status=503), "; last problem: status 503 Service Unavailable"),
    ],
)
def test_timeout(response: Scripted, trouble: str, endpoint: ScriptedEndpoint) -> None:
    """After the time limit, the error says so and gives the last problem."""
    endpoint.script["/f/challenge/"] = response
    for seconds in (0.2, 2, 8):  # a slow machine may need longer to get a response
        with pytest.raises(DemandError) as caught:
            loaded(grant(endpoint, tell=lambda _: None, timeout=seconds))
        if len(endpoint.of("challenge")) > 1:
            assert caught.value.reason == f"nobody approved or denied within {seconds:g} s{trouble}"
            return
    pytest.fail("the endpoint was not asked twice")


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (Scripted({"status": "granted"}), "'code' must be a string of letters and digits"),
        (Scripted({"status": "granted", "code": "\x1b[2J"}), "'code' must be"),
        (Scripted({"status": "granted", "code": "x" * 65}), "'code' must be"),
        (Scripted({"status": "granted", "code": "a&grant=other"}), "'code' must be"),
        (Scripted({"status": "granted", "code": 123}), "'code' must be"),
        (Scripted({"status": "error", "message": "too many"}), "error response: too many"),
        (Scripted(status=500), "status 500"),
        (Scripted(b"x"), "the response is not JSON"),
    ],
)
def test_malformed_codes(response: Scripted, reason: str, endpoint: ScriptedEndpoint) -> None:
    """A code that a person cannot compare is an error before anybody is instructed."""
    endpoint.script["/f/start/"] = response
    person = Person(endpoint, "granted")
    with pytest.raises(DemandError) as caught:
        loaded(grant(endpoint, person))
    assert (caught.value.url, reason in caught.value.reason) == (f"{endpoint.base_url}start/", True)
    assert person.logins == []


def test_approval_is_reused(endpoint: ScriptedEndpoint) -> None:
    """A refresh by the same grant uses the approval until the endpoint revokes it."""
    person = Person(endpoint, "granted")
    own = grant(endpoint, person)
    for _ in range(3):
        loaded(own, force_refresh=True)
    assert len(person.logins) == 1
    endpoint.tokens.clear()
    loaded(own)
    assert len(person.logins) == 2


def test_instructions(endpoint: ScriptedEndpoint, capsys: pytest.CaptureFixture[str]) -> None:
    """By default the URL of the page and the code are printed on the standard error stream only."""
    endpoint.codes["made-here-0"] = "granted"
    endpoint.script["/f/start/"] = Scripted({"status": "granted", "code": "made-here-0"})
    loaded(grant(endpoint))
    output = capsys.readouterr()
    assert output.out == ""
    assert f"{endpoint.base_url}configure/?device_code=made-here-0&grant=device_code" in output.err
    assert "within 60 seconds if the page displays the code made-here-0" in output.err


def test_browser(endpoint: ScriptedEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is opened in the browser, here a program that approves; a missing browser is not an error."""
    browser = tmp_path / "browser"
    opened = tmp_path / "opened"
    browser.write_text(f"#!{sys.executable}\nimport sys\nopen({str(opened)!r}, 'w').write(sys.argv[1])\n")
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    monkeypatch.setattr("webbrowser._tryorder", None)

    def respond(_: Received) -> Scripted:
        if not opened.exists() or not opened.read_text():
            return Scripted({"status": "waiting"})
        endpoint.tokens["t"] = CONFIG
        return Scripted({"status": "granted", "token": "t"})

    endpoint.script["/f/challenge/"] = respond
    assert loaded(grant(endpoint, tell=lambda _: None, open_browser=True)) == CONFIG
    assert opened.read_text() == f"{endpoint.base_url}configure/?device_code=made-here-0&grant=device_code"
    monkeypatch.setattr("webbrowser._tryorder", [])
    assert loaded(grant(endpoint, tell=lambda _: None, open_browser=True)) == CONFIG


@pytest.mark.anyio
async def test_cancellation(endpoint: ScriptedEndpoint) -> None:
    """The load can be cancelled while the person decides, and polling stops."""
    endpoint.script["/f/challenge/"] = Scripted({"status": "pending"})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(Fakts(grant(endpoint, tell=lambda _: None)).aload)
        await until_async(lambda: len(endpoint.of("challenge")) > 1)
        tasks.cancel_scope.cancel()
    assert endpoint.of("claim") == []


def test_repr_has_no_code(endpoint: ScriptedEndpoint) -> None:
    """The code is in no repr, because it gives access to the token."""
    person = Person(endpoint, "granted")
    own = grant(endpoint, person)
    loaded(own)
    assert "code=" not in repr(own)
    assert "granted-token" not in repr(own)
    assert "made-here-0" not in repr(person.logins[0])
