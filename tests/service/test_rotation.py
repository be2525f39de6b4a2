"""The credentials of applications are replaced: the previous ones work until their end, wherever they are used."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from heksherlite.cli.commands import heksherlite
from heksherlite.service import embedded
from heksherlite.service.api.access_tokens import AccessTokens
from heksherlite.service.domain.applications import Application, registered
from heksherlite.service.domain.credentials import Credentials, credentials_of
from heksherlite.service.domain.tokens import find_token
from heksherlite.service.storage.token_uses import TokenUses
from tests.service.applications import READER, SHOP
from tests.service.tokens import WITH_TOKENS

DAY = 86_400
NOW = 1_000_000
CREDENTIALS = credentials_of("0a1b2c3d", "n" * 43)


@dataclass
class Operator:
    """An operator of a service, and its clients."""

    http: httpx.Client
    token: str

    def post(self, what: str, **body: object) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.http.post(f"/api/v1/applications/{what}", json=body, headers=headers)

    def rotate(self, application_id: str, *, overlap: int, **more: object) -> dict[str, str]:
        response = self.post("rotate", id=application_id, previous_until=int(time.time()) + overlap, **more)
        assert response.status_code == 200, response.text
        assert response.headers["cache-control"] == "no-store"
        credentials: dict[str, str] = response.json()
        return credentials

    def audit(self, action: str) -> list[dict[str, Any]]:
        records = self.http.get("/api/v1/audit", headers={"Authorization": f"Bearer {self.token}"}).json()["audit"]
        return [each for each in records if each["action"] == action]

    def claim(self, claim_token: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.http.post("/f/claim/", json={"token": claim_token}).json()
        return answer

    def access_token(self, credentials: dict[str, str]) -> str | None:
        auth = (credentials["client_id"], credentials["client_secret"])
        granted = self.http.post("/o/token", data={"grant_type": "client_credentials"}, auth=auth).json()
        token: str | None = granted.get("access_token")
        return token

    def accepted(self, credentials: dict[str, str], access_token: str | None = None) -> list[bool]:
        """Return whether a claim, the API, a client secret, a refresh token and an access token are accepted."""
        refresh = {"grant_type": "refresh_token", "refresh_token": credentials["claim_token"]}
        sent = access_token or self.access_token(credentials) or "hka_none"
        headers = [{"Authorization": f"Bearer {each}"} for each in (credentials["api_token"], sent)]
        return [
            self.claim(credentials["claim_token"])["status"] == "granted",
            self.http.get("/api/v1/query", headers=headers[0]).status_code == 200,
            self.access_token(credentials) is not None,
            self.http.post("/o/token", data=refresh).status_code == 200,
            self.http.get("/api/v1/query", headers=headers[1]).status_code == 200,
        ]


@pytest.fixture
def operator(new_database: Callable[[], str]) -> Iterator[Operator]:
    with embedded(new_database(), access=WITH_TOKENS) as service, httpx.Client(base_url=service.url) as http:
        yield Operator(http, service.first_token or "")


def redeemed(operator: Operator) -> dict[str, str]:
    """Return the credentials of an application that was invited."""
    approval = {"scopes": ["read", "declare"]}
    body = {"identifier": SHOP.identifier, "approval": approval, "expires_at": int(time.time()) + 60}
    invited = operator.post("invite", **body).json()
    early = operator.post("rotate", id=invited["id"], previous_until=0)
    assert (early.status_code, "has no credentials yet" in early.text) == (400, True)
    answer = operator.http.post("/f/redeem/", json={"manifest": SHOP.parts(), "token": invited["one_time_token"]})
    credentials = Credentials(invited["id"], answer.json()["token"])
    return {"id": invited["id"], **credentials.shown()}


def test_both_credentials_work_until_the_previous_ones_end(operator: Operator) -> None:
    """Within the overlap both are accepted everywhere. After it, nothing is that comes from the previous ones."""
    first = redeemed(operator)
    before = operator.access_token(first)
    second = operator.rotate(first["id"], overlap=DAY)
    assert second.keys() == first.keys()
    assert set(second.values()) & set(first.values()) == {first["id"]}
    assert operator.accepted(first, before) == operator.accepted(second) == [True] * 5
    answer = operator.claim(first["claim_token"])
    assert answer["config"]["heksher"]["token"] == first["api_token"]
    assert abs(answer["expires_at"] - time.time() - DAY) < 60
    assert "expires_at" not in operator.claim(second["claim_token"])
    third = operator.rotate(first["id"], overlap=-1, expires_at=int(time.time()) + 9 * DAY)
    assert operator.accepted(first, before) == operator.accepted(second) == [False] * 5
    assert operator.accepted(third) == [True] * 5
    headers = {"Authorization": f"Bearer {operator.token}"}
    (listed,) = operator.http.get("/api/v1/applications", headers=headers).json()["applications"]
    assert listed["previous_expires_at"] <= listed["rotated_at"] <= time.time()
    rotations = operator.audit("application.rotate")
    assert [each["subject"] for each in rotations] == [first["id"]] * 2
    assert [each["details"]["expires_at"] is None for each in rotations] == [False, True]
    claims = [each["details"].get("with_previous_credentials") for each in operator.audit("configuration.claim")]
    assert True in claims
    assert not {first["claim_token"], third["client_secret"]} & set(json.dumps(rotations).split('"'))


def test_streams_end_with_their_credentials(operator: Operator) -> None:
    """A stream that was opened with the previous token ends with it, and so does a ticket for the stream of flags."""
    first = redeemed(operator)
    headers = {"Authorization": f"Bearer {first['api_token']}"}

    def ticket(credentials: dict[str, str]) -> str:
        sent = {"Authorization": f"Bearer {credentials['api_token']}"}
        flags = operator.http.post("/ofrep/v1/evaluate/flags", json={}, headers=sent).json()
        url: str = flags["eventStreams"][0]["url"]
        return url

    def opens(url: str) -> bool:
        with operator.http.stream("GET", url) as response:
            return response.status_code == 200

    url = ticket(first)
    with operator.http.stream("GET", "/api/v1/stream", headers=headers) as stream:
        events = stream.iter_lines()
        assert next(events)
        second = operator.rotate(first["id"], overlap=DAY)
        assert opens(url)
        assert opens(ticket(second))
        third = operator.rotate(first["id"], overlap=-1)
        assert not any("retry" in event for event in events)  # until it ends
    assert [opens(each) for each in (url, ticket(third))] == [False, True]


def test_programs_of_a_public_application_get_the_new_token(operator: Operator) -> None:
    """They retrieve it when they start again, and the token that everybody had ends."""
    application_id = operator.post("register", identifier="kiosk", approval={"scopes": ["read"]}).json()["id"]

    def retrieved() -> str:
        body = {"manifest": {"identifier": "kiosk", "version": "1"}}
        token: str = operator.http.post("/f/retrieve/", json=body).json()["token"]
        return token

    before = retrieved()
    rotated = operator.rotate(application_id, overlap=-1)
    assert retrieved() == rotated["claim_token"] != before
    assert [operator.claim(token)["status"] for token in (before, retrieved())] == ["error", "granted"]


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ({"id": "ffffffff", "previous_until": 0}, 404, "there is no application with the ID 'ffffffff'"),
        ({"id": "x"}, 422, "previous_until"),
        ({"id": "x", "previous_until": 2**63}, 422, "previous_until"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, body: dict[str, object], status: int, reason: str) -> None:
    """An application that does not exist, and times that are missing or malformed."""
    with embedded(tmp_path / "a.db", access=WITH_TOKENS) as service, httpx.Client(base_url=service.url) as http:
        response = Operator(http, service.first_token or "").post("rotate", **body)
    assert (response.status_code, reason in response.text) == (status, True)


def application(**fields: Any) -> Application:
    """Return an application with credentials."""
    return registered("kiosk", READER, now=NOW - 80 * DAY, **fields)


def test_previous_credentials_end_in_time() -> None:
    """They work until the overlap ends, and never longer than they would have without a rotation."""
    before = application()
    secret = before.public_token or ""
    after = before.rotated(CREDENTIALS.digests(), now=NOW, previous_until=NOW + 10, expires_at=None)
    assert [after.with_claim_token(secret, NOW + seconds) is not None for seconds in (0, 9, 10)] == [True, True, False]
    assert after.with_claim_token(CREDENTIALS.claim_token, NOW + 10) == after
    token = after.token()
    assert token is not None
    sent = Credentials(before.id, secret).settings_token.encode()
    found = find_token({token.public_prefix: token}, sent)
    assert found is not None
    assert (found.expires_at, token.expires_at) == (NOW + 10, None)
    tokens = AccessTokens(lambda: ["key"], lambda: {token.public_prefix: token}, lambda: NOW)
    stands_for = tokens.find(tokens.issue(found, found.scopes).encode())
    assert stands_for is not None
    assert stands_for.expires_at == NOW + 10
    expiring = before.rotated(CREDENTIALS.digests(), now=NOW, previous_until=NOW, expires_at=NOW + 5)
    again = expiring.rotated(CREDENTIALS.digests(), now=NOW, previous_until=NOW + 10, expires_at=None)
    assert again.previous is not None
    assert again.previous.expires_at == NOW + 5
    with pytest.raises(ValueError, match="would have expired already"):
        before.rotated(CREDENTIALS.digests(), now=NOW, previous_until=NOW, expires_at=NOW)


def test_the_log_warns_of_the_expiry_of_an_application(caplog: pytest.LogCaptureFixture) -> None:
    """As it does for other tokens, once, by the identifier. New credentials have their whole life before them."""
    before = application()
    expiring = before.rotated(CREDENTIALS.digests(), now=NOW - 80 * DAY, previous_until=NOW, expires_at=NOW + 10 * DAY)
    renewed = before.rotated(CREDENTIALS.digests(), now=NOW, previous_until=NOW, expires_at=NOW + 30 * DAY)
    uses = TokenUses.__new__(TokenUses)
    uses._warned = set()
    with caplog.at_level(logging.WARNING):
        for known in (expiring, renewed, expiring):
            token = known.token()
            assert token is not None
            uses.warn_of_expiry({token.public_prefix: token}, NOW)
    assert [record.message for record in caplog.records] == ["a token expires soon: kiosk, in 240 hours"]


@pytest.mark.parametrize("remote", [False, True])
def test_the_command_prints_the_new_credentials(tmp_path: Path, remote: bool) -> None:
    """On the database and over HTTP, with a reason for the history, and an overlap of a week by default."""
    with embedded(tmp_path / "a.db", access=WITH_TOKENS) as service, httpx.Client(base_url=service.url) as http:
        operator = Operator(http, service.first_token or "")
        first = redeemed(operator)
        target = ["--url", service.url, "--token", operator.token] if remote else ["--database", f"{tmp_path}/a.db"]
        if not remote:
            target[1] = f"sqlite:///{target[1]}"
        arguments = ["app", "rotate", first["id"], "--expires", "90d", "--reason", "it is time", *target]
        result = CliRunner().invoke(heksherlite, arguments)
        assert result.exit_code == 0, result.output
        second = {"id": first["id"], **json.loads(result.stdout)}
        while not operator.accepted(second)[1]:  # the service has not noticed yet
            time.sleep(0.05)
        assert operator.accepted(first) == operator.accepted(second) == [True] * 5
        assert abs(operator.claim(first["claim_token"])["expires_at"] - time.time() - 7 * DAY) < 60
        assert operator.audit("application.rotate")[0]["details"]["reason"] == "it is time"
        mistake = CliRunner().invoke(heksherlite, ["app", "rotate", first["id"], "--overlap", "soon", *target])
        assert "--overlap: 'soon' is neither a time such as 90d" in mistake.output
