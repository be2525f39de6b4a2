"""The examples for pods and CI jobs, with signed tokens of an issuer whose public keys the endpoint uses."""

import base64
import hmac
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import RSAKey

from heksherlite.errors import DemandError
from tests.grants.endpoint import CONFIG, ScriptedEndpoint
from tests.grants.issuer import Exchange, Issuer, running_issuer

POD = "system:serviceaccount:shop:checkout"


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with running_issuer() as issuer:
        yield issuer


@pytest.fixture
def pod(endpoint: ScriptedEndpoint, issuer: Issuer, tmp_path: Path) -> Path:
    """Return the file with the token of a service account that the endpoint knows."""
    Exchange(endpoint, issuer.server.url, POD)
    path = tmp_path / "token"
    path.write_text(issuer.sign(sub=POD, aud=endpoint.url))
    return path


def make_pod(endpoint: ScriptedEndpoint, path: Path) -> Any:
    return runpy.run_path("examples/kubernetes_token.py")["make_fakts"](endpoint.url, path)


def make_job(endpoint: ScriptedEndpoint) -> Any:
    return runpy.run_path("examples/ci_token.py")["make_fakts"](endpoint.url)


def encoded(content: Any) -> str:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def with_public_key(issuer: Issuer, claims: dict[str, Any]) -> str:
    """Return a token that takes the public key, which everybody has, for the secret of a symmetric algorithm."""
    signed = f"{encoded({'alg': 'HS256', 'kid': 'first'})}.{encoded(claims)}"
    return f"{signed}.{encoded(hmac.digest(issuer.key.as_pem(private=False), signed.encode(), 'sha256'))}"


def test_a_pod(endpoint: ScriptedEndpoint, issuer: Issuer, pod: Path) -> None:
    """A pod gets facts for the token of its service account, and later ones for the next token."""
    fakts = make_pod(endpoint, pod)
    assert fakts.get() == CONFIG
    endpoint.tokens.clear()  # revoked
    pod.write_text(issuer.sign(sub=POD, aud=endpoint.url, jti="another"))
    assert fakts.refresh() == CONFIG
    sent = [request.body["token"] for request in endpoint.of("redeem")]
    assert len(set(sent)) == 2


def test_tokens_that_are_not_accepted(endpoint: ScriptedEndpoint, issuer: Issuer, pod: Path) -> None:
    """A token with another signature, algorithm, issuer, audience, subject or time gets no facts, and is not shown."""
    claims = {"iss": issuer.server.url, "sub": POD, "aud": endpoint.url, "exp": 2**33}
    forged = {
        "another key": issuer.sign(sub=POD, aud=endpoint.url, key=RSAKey.generate_key(2048)),
        "the public key as a secret": with_public_key(issuer, claims),
        "no signature": f"{encoded({'alg': 'none'})}.{encoded(claims)}.",
        "another issuer": issuer.sign(sub=POD, aud=endpoint.url, iss="https://elsewhere"),
        "another audience": issuer.sign(sub=POD, aud="https://elsewhere"),
        "another account": issuer.sign(sub="system:serviceaccount:shop:other", aud=endpoint.url),
        "an expired token": issuer.sign(sub=POD, aud=endpoint.url, exp=1),
        "no token": "nothing",
    }
    for what, token in forged.items():
        pod.write_text(token)
        with pytest.raises(DemandError, match="redeem/: ") as caught:
            make_pod(endpoint, pod).get()
        assert token not in f"{caught.value!r}{caught.value}", what
    assert endpoint.of("claim") == []


def test_a_job(endpoint: ScriptedEndpoint, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job requests a token for the endpoint, and exchanges it for facts; that of another repository gets none."""
    Exchange(endpoint, issuer.server.url, issuer.subject)
    for name, value in issuer.environment.items():
        monkeypatch.setenv(name, value)
    assert make_job(endpoint).get() == CONFIG
    monkeypatch.setattr(issuer, "subject", "repo:example/other:ref:refs/heads/main")
    with pytest.raises(DemandError, match="redeem/: "):
        make_job(endpoint).get()


def test_a_job_without_permission(endpoint: ScriptedEndpoint, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that may not request tokens is told what it needs, and one with a wrong request token that it is wrong."""
    monkeypatch.delenv("ACTIONS_ID_TOKEN_REQUEST_URL", raising=False)
    with pytest.raises(DemandError, match=r"give it 'permissions: \{id-token: write\}'"):
        make_job(endpoint).get()
    for name, value in issuer.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "wrong")
    with pytest.raises(DemandError, match="no OIDC token: status 401"):
        make_job(endpoint).get()


def test_both_programs(endpoint: ScriptedEndpoint, issuer: Issuer, pod: Path) -> None:
    """Both examples run as programs."""
    environment = {**os.environ, **issuer.environment}
    for subject, arguments in (
        (POD, ["kubernetes_token.py", endpoint.url, str(pod)]),
        (issuer.subject, ["ci_token.py", endpoint.url]),
    ):
        Exchange(endpoint, issuer.server.url, subject)
        command = [sys.executable, f"examples/{arguments[0]}", *arguments[1:]]
        finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
        assert finished.stdout == "['database', 'heksher']\n", finished.stderr
