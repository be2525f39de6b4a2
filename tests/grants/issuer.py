"""A real issuer of signed tokens (RS256), and an endpoint that exchanges them for tokens of its own."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey

from tests.grants.endpoint import CONFIG, Received, Scripted, ScriptedEndpoint, scripted_endpoint

_REQUEST_TOKEN = "request-token-of-the-job"  # noqa: S105


@dataclass
class Issuer:
    """An issuer, as Kubernetes and providers of CI have it.

    Attributes:
        server: Its server, which has the public keys, and tokens for jobs.
        key: Its private key.
        subject: The subject of the tokens for jobs.
    """

    server: ScriptedEndpoint
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, parameters={"kid": "first"}))
    subject: str = "repo:example/shop:ref:refs/heads/main"

    def __post_init__(self) -> None:
        metadata = {"issuer": self.server.url, "jwks_uri": f"{self.server.url}/jwks"}
        self.server.script["/.well-known/openid-configuration"] = Scripted(metadata)
        self.server.script["/jwks"] = Scripted(KeySet([self.key]).as_dict(private=False))
        self.server.script["/job"] = self._respond_to_job

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a job that may request tokens."""
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.server.url}/job?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": _REQUEST_TOKEN,
        }

    def sign(self, *, key: RSAKey | None = None, **claims: Any) -> str:
        """Return a token, with this key or another one."""
        now = int(time.time())
        known = {"iss": self.server.url, "iat": now, "exp": now + 600}
        return jwt.encode({"alg": "RS256", "kid": "first"}, {**known, **claims}, key or self.key)

    def _respond_to_job(self, request: Received) -> Scripted:
        if request.headers.get("authorization") != f"Bearer {_REQUEST_TOKEN}" or "api-version" not in request.query:
            return Scripted({"message": "unknown job"}, 401)
        return Scripted({"value": self.sign(sub=self.subject, aud=request.query["audience"])})


@dataclass
class Exchange:
    """What an endpoint does with tokens of an issuer. It has only the URL of the issuer, and so its public keys.

    Attributes:
        endpoint: The endpoint.
        issuer_url: The URL of the issuer.
        subject: The subject that it gives tokens to.
    """

    endpoint: ScriptedEndpoint
    issuer_url: str
    subject: str

    def __post_init__(self) -> None:
        self.endpoint.script["/f/redeem/"] = self._redeem

    def _redeem(self, request: Received) -> Scripted:
        metadata = httpx.get(f"{self.issuer_url}/.well-known/openid-configuration").json()
        keys = KeySet.import_key_set(httpx.get(metadata["jwks_uri"]).json())
        expected = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": self.issuer_url},
            aud={"essential": True, "value": self.endpoint.url},
            sub={"essential": True, "value": self.subject},
            exp={"essential": True},
        )
        try:
            token = jwt.decode(request.body["token"], keys, algorithms=["RS256"])
            expected.validate(token.claims)
        except (JoseError, ValueError) as error:
            return Scripted({"status": "error", "message": str(error)})
        granted = f"granted-token-{len(self.endpoint.tokens)}"
        self.endpoint.tokens[granted] = CONFIG
        return Scripted({"status": "granted", "token": granted})


@contextmanager
def running_issuer() -> Iterator[Issuer]:
    """Run an issuer."""
    with scripted_endpoint() as server:
        yield Issuer(server)
