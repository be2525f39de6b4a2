"""Tokens: their form, how they are sent, and when they are invalid."""

import logging
import re
import sqlite3
import time
from collections.abc import Iterator
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path

import httpx
import pytest

from heksherlite.service import EmbeddedService, embedded
from heksherlite.service.api.identity import Identity
from heksherlite.service.domain.tokens import SHAPE, Scope, find_token, new_token
from tests.service.api import FEATURES, Api
from tests.service.tokens import EVERY_SCOPE, REFUSED, WITH_TOKENS, make_token, revoke_token
from tests.waiting import until

UNKNOWN, _ = new_token("unknown", EVERY_SCOPE, now=0)


class Guarded:
    """A service that requires tokens, with its database."""

    def __init__(self, path: Path, service: EmbeddedService) -> None:
        self.path = path
        self.url = service.url
        self.first_token = service.first_token or ""

    def get(self, *headers: tuple[str, str], path: str = "/api/v1/context_features") -> httpx.Response:
        return httpx.get(self.url + path, headers=list(headers))

    def status(self, token: str) -> int:
        return self.get(("Authorization", f"Bearer {token}")).status_code


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    with embedded(tmp_path / "a.db", access=WITH_TOKENS, context_features=FEATURES) as service:
        yield Guarded(tmp_path / "a.db", service)


def test_the_first_start_makes_a_token_for_everything(tmp_path: Path) -> None:
    """A database without tokens gets one token with all scopes."""
    with embedded(tmp_path / "a.db", access=WITH_TOKENS) as service:
        assert service.first_token is not None
        assert SHAPE.fullmatch(service.first_token)
        api = Api(service.url, token=service.first_token)
        with api.http:
            assert api.call("POST", "context_features", {"context_feature": "user"}).status_code == 204
            assert api.declare(configurable_features=["user"]).json() == {"outcome": "created"}
            api.add_rule(1, user="john")
    with embedded(tmp_path / "a.db", access=WITH_TOKENS) as again:
        assert again.first_token is None
        assert Guarded(tmp_path / "a.db", again).status(service.first_token) == 200


def test_without_tokens_everybody_may_do_everything(tmp_path: Path) -> None:
    """By default, no token is created, required or checked."""
    with embedded(tmp_path / "a.db") as service:
        assert service.first_token is None
        assert Guarded(tmp_path / "a.db", service).status("nonsense") == 200


def test_a_revoked_token_stops_to_work(guarded: Guarded) -> None:
    """A running service accepts new tokens and refuses revoked ones."""
    token = make_token(guarded.path, "reader", Scope.READ)
    until(lambda: guarded.status(token) == 200)
    assert revoke_token(guarded.path, "reader")
    until(lambda: guarded.status(token) in REFUSED)
    assert "revoked" in guarded.get(("Authorization", f"Bearer {token}")).json()["detail"]
    assert guarded.status(guarded.first_token) == 200
    assert not revoke_token(guarded.path, "reader")


def test_a_revoked_token_ends_its_stream(guarded: Guarded) -> None:
    """Revoking a token ends its streams."""
    token = make_token(guarded.path, "listener", Scope.READ)
    until(lambda: guarded.status(token) == 200)
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.stream("GET", guarded.url + "/api/v1/stream", headers=headers, timeout=30) as response:
        lines = response.iter_lines()
        assert "ready" in next(line for line in lines if line.startswith("event"))
        revoke_token(guarded.path, "listener")
        assert list(lines)[-1:] == [""]


def test_replicas_learn_of_tokens(tmp_path: Path) -> None:
    """Services on one database have the same tokens."""
    path = tmp_path / "a.db"
    with embedded(path, access=WITH_TOKENS) as one, embedded(path, access=WITH_TOKENS) as two:
        assert (one.first_token is None) != (two.first_token is None)
        replicas = [Guarded(path, one), Guarded(path, two)]
        token = make_token(path, "reader", Scope.READ)
        until(lambda: [replica.status(token) for replica in replicas] == [200, 200])
        revoke_token(path, "reader")
        until(lambda: {replica.status(token) for replica in replicas} <= REFUSED)


def test_tokens_are_in_memory(guarded: Guarded, tmp_path: Path) -> None:
    """Requests are authorized while the database is unavailable."""
    guarded.path.rename(tmp_path / "moved.db")
    try:
        until(lambda: guarded.get(path="/api/health").status_code == 500)
        assert guarded.status(guarded.first_token) == 200
    finally:
        (tmp_path / "moved.db").rename(guarded.path)


def test_an_expired_token_is_refused(tmp_path: Path) -> None:
    """A running service, and one that starts later, refuse an expired token."""
    path = tmp_path / "a.db"
    soon = make_token(path, "soon", Scope.READ, expires_at=int(time.time()) + 2)
    later = make_token(path, "later", Scope.READ, expires_at=int(time.time()) + 3600)
    old = make_token(path, "old", Scope.READ, now=1000, expires_at=2000)
    with embedded(path, access=WITH_TOKENS) as service:
        guarded = Guarded(path, service)
        until(lambda: guarded.status(soon) == 401)
        assert guarded.status(old) == 401
        assert guarded.get(("Authorization", f"Bearer {old}")).json()["detail"] == "the token 'old' has expired"
        assert guarded.status(later) == 200


def test_expiry_is_exact() -> None:
    """A token is valid until the second it expires. One without expiry is always valid."""
    _, token = new_token("a", [Scope.READ], now=0, expires_at=10)
    assert [token.expired(now) for now in (0, 9.999, 10, 11)] == [False, False, True, True]
    _, token = new_token("a", [Scope.READ], now=0)
    assert not token.expired(1e12)


@pytest.mark.parametrize(
    ("name", "scopes", "expires_at", "message"),
    [
        ("", EVERY_SCOPE, None, "not a name"),
        ("a b", EVERY_SCOPE, None, "not a name"),
        ("a\n", EVERY_SCOPE, None, "not a name"),
        ("a" * 101, EVERY_SCOPE, None, "not a name"),
        ("a", (), None, "at least one scope"),
        ("a", EVERY_SCOPE, 100, "expired already"),
    ],
)
def test_useless_tokens_are_not_made(
    name: str, scopes: tuple[Scope, ...], expires_at: int | None, message: str
) -> None:
    """A token requires a name, a scope and an expiry in the future."""
    with pytest.raises(ValueError, match=message):
        new_token(name, scopes, now=100, expires_at=expires_at)


def test_a_name_is_given_once(tmp_path: Path) -> None:
    """Two tokens cannot have the same name."""
    first = make_token(tmp_path / "a.db", "a", Scope.READ)
    with pytest.raises(ValueError, match="there is a token named 'a' already"):
        make_token(tmp_path / "a.db", "a", Scope.ADMIN)
    with embedded(tmp_path / "a.db", access=WITH_TOKENS) as service:
        assert Guarded(tmp_path / "a.db", service).status(first) == 200


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER ", "Bearer   "])
def test_the_scheme_may_be_written_in_any_case(guarded: Guarded, scheme: str) -> None:
    """The scheme is case-insensitive, and more than one space is accepted."""
    assert guarded.get(("Authorization", scheme + guarded.first_token)).status_code == 200


MALFORMED = {
    "empty": "",
    "no token": "Bearer",
    "another scheme": f"Basic {UNKNOWN}",
    "no scheme": UNKNOWN,
    "two tokens": f"Bearer {UNKNOWN} {UNKNOWN}",
    "a list": f"Bearer {UNKNOWN}, Bearer {UNKNOWN}",
    "unknown": f"Bearer {UNKNOWN}",
    "too short": f"Bearer {UNKNOWN[:-1]}",
    "too long": f"Bearer {UNKNOWN}a",
    "only the public prefix": f"Bearer {UNKNOWN[:12]}",
    "upper case": f"Bearer {UNKNOWN.upper()}",
    "quotes": f'Bearer "{UNKNOWN}"',
    "very long": f"Bearer {'a' * 30_000}",
    "no ASCII": "Bearer hkl_é",
    "a tab": f"Bearer\t{UNKNOWN}",
}


@pytest.mark.parametrize("value", MALFORMED.values(), ids=MALFORMED.keys())
def test_other_authorization_is_401(guarded: Guarded, value: str) -> None:
    """Other contents of the header are refused in the same way, without displaying them."""
    response = httpx.get(guarded.url + "/api/v1/query", headers=[(b"Authorization", value.encode())])
    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["www-authenticate"]
    assert response.json()["needed_scope"] == "read"
    assert UNKNOWN[13:] not in response.text


def test_variations_of_a_token_are_401(guarded: Guarded) -> None:
    """Only the exact token is accepted, with its own prefix and secret."""
    token = guarded.first_token
    last = "A" if token[-1] != "A" else "B"
    for other in (token[:-1] + last, token + "a", token[:-1], UNKNOWN[:12] + token[12:], token[:12] + UNKNOWN[12:]):
        assert guarded.status(other) == 401
    assert guarded.status(token) == 200


def test_two_headers_are_401(guarded: Guarded) -> None:
    """Two tokens in one request are refused."""
    header = ("Authorization", f"Bearer {guarded.first_token}")
    assert guarded.get(header, header).status_code == 401
    legacy = ("api_token", guarded.first_token)
    assert guarded.get(legacy, legacy).status_code == 401


def test_the_header_api_token_is_accepted(guarded: Guarded) -> None:
    """A token is accepted in the header api_token, also beside the Authorization of a proxy."""
    legacy = ("api_token", guarded.first_token)
    assert guarded.get(legacy).status_code == 200
    assert guarded.get(legacy, ("Authorization", "Basic abc")).status_code == 200
    assert guarded.get(("api_token", UNKNOWN)).status_code == 401
    assert guarded.get(("api_token", ""), path="/api/v1/query").status_code == 401
    assert guarded.get(legacy, ("Authorization", f"Bearer {UNKNOWN}")).status_code == 401


def test_digests_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digests are compared with hmac.compare_digest, also for unknown tokens."""
    compared: list[tuple[bytes, bytes]] = []

    def recorded(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return compare_digest(one, other)

    monkeypatch.setattr("heksherlite.service.domain.tokens.compare_digest", recorded)
    text, token = new_token("a", [Scope.READ], now=0)
    tokens = {token.public_prefix: token}
    wrong = (text[:13] + UNKNOWN[13:]).encode()
    assert find_token(tokens, text.encode()) is token
    assert find_token(tokens, wrong) is None
    assert find_token(tokens, UNKNOWN.encode()) is None
    assert find_token(tokens, b"") is None
    assert [len(digest) for pair in compared for digest in pair] == [32] * 8
    assert compared[0] == (token.digest, token.digest)


def test_tokens_differ() -> None:
    """Each token has 256 random bits, and a public prefix."""
    made = [new_token("a", [Scope.READ], now=0) for _ in range(100)]
    assert len({text[13:] for text, _ in made}) == 100
    assert all(SHAPE.fullmatch(text) and text.startswith(token.public_prefix + "_") for text, token in made)


def test_secrets_are_nowhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """No secret is in the database, the log, a response or a repr."""
    caplog.set_level(logging.DEBUG)
    path = tmp_path / "a.db"
    old = make_token(path, "old", Scope.READ, now=1000, expires_at=2000)
    reader = make_token(path, "reader", Scope.READ)
    secrets = [text[13:] for text in (old, reader, UNKNOWN)]
    with embedded(path, access=WITH_TOKENS) as service:
        guarded = Guarded(path, service)
        shown = [repr(service)]
        for sent in (old, reader, UNKNOWN, "hkl_nonsense" + secrets[0]):
            for header in (("Authorization", f"Bearer {sent}"), ("Authorization", sent), ("api_token", sent)):
                response = guarded.get(header)
                shown += [response.text, repr(response.headers)]
        posted = httpx.post(guarded.url + "/api/v1/rules", headers={"Authorization": f"Bearer {reader}"})
        assert posted.status_code == 403
        shown.append(posted.text)
    text, token = new_token("a", [Scope.READ], now=0)
    secrets += [text[13:], token.digest.hex(), repr(token.digest)]
    shown += [repr(token), str(token), repr(Identity(token)), caplog.text]
    shown += [repr(vars(record)) for record in caplog.records]
    shown += [file.read_bytes().decode("latin-1") for file in tmp_path.iterdir()]
    assert "a token was refused" in caplog.text
    for secret in secrets:
        assert not [text for text in shown if secret in text]


def test_digests_are_what_is_stored(tmp_path: Path) -> None:
    """The database has the SHA-256 and the public prefix of each token."""
    text = make_token(tmp_path / "a.db", "a", Scope.WRITE, Scope.READ, setting_prefix="backend.")
    connection = sqlite3.connect(tmp_path / "a.db")
    columns = "name, public_prefix, digest, scopes, setting_prefix, expires_at"
    rows = connection.execute(f"SELECT {columns} FROM tokens").fetchall()  # noqa: S608 - a constant
    connection.close()
    assert rows == [("a", text[:12], sha256(text.encode()).hexdigest(), "read write", "backend.", None)]
    assert re.fullmatch("hkl_[0-9a-f]{8}", text[:12])


def test_scopes_of_a_later_version_are_left_alone(tmp_path: Path) -> None:
    """An unknown scope allows nothing, and does not affect the others."""
    token = make_token(tmp_path / "a.db", "a", Scope.READ)
    connection = sqlite3.connect(tmp_path / "a.db")
    connection.execute("UPDATE tokens SET scopes = 'read approve'")
    connection.commit()
    connection.close()
    with embedded(tmp_path / "a.db", access=WITH_TOKENS) as service:
        assert Guarded(tmp_path / "a.db", service).status(token) == 200
