"""Asks an OpenID Connect identity provider who a person is: authorization code with PKCE.

This module requires ``heksherlite[oidc]``.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from heksherlite.errors import DiscoveryError
from heksherlite.http.endpoint_client import EndpointResponse, basic_authorization, describe_status, endpoint_client
from heksherlite.http.urls import is_loopback, printable
from heksherlite.secret import Secret
from heksherlite.service.domain.identity_providers import IdentityProvider
from heksherlite.service.errors import IdentityProviderError, IdentityProviderUnavailableError

_logger = logging.getLogger(__name__)

_TIMEOUT: Final = 10.0
_CACHE_SECONDS: Final = 3600.0
_RETRY_SECONDS: Final = 5.0
_LEEWAY_SECONDS: Final = 60
_ALGORITHMS: Final = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"
]  # fmt: skip
"""The asymmetric algorithms. With symmetric ones, everybody who knows the client secret could name anybody."""

_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass(frozen=True, slots=True)
class _Known:
    """What a provider said about itself.

    Attributes:
        metadata: Its metadata.
        keys: The keys with which it signs.
        fetched_at: When that was fetched, on the monotonic clock.
    """

    metadata: Mapping[str, Any]
    keys: KeySet
    fetched_at: float


class IdentityProviderClient:
    """Sends people to an identity provider, and learns from it who they are.

    What the provider says about itself is cached for an hour, and longer while it cannot be reached.

    Args:
        provider: The provider.
    """

    def __init__(self, provider: IdentityProvider) -> None:
        self.provider: Final = provider
        self._known: _Known | None = None
        self._failure: tuple[float, IdentityProviderUnavailableError] | None = None
        self._lock = asyncio.Lock()

    async def login_url(self, *, redirect_uri: str, state: str, nonce: str, code_verifier: str) -> str:
        """Return the URL at the provider to which the browser of a person is sent.

        Args:
            redirect_uri: Where the provider sends the browser afterwards.
            state: What the provider sends back with the browser.
            nonce: What the provider repeats in the ID token.
            code_verifier: The secret with which the code is exchanged.

        Raises:
            IdentityProviderUnavailableError: The provider cannot be reached, or does not describe itself.
        """
        known = await self._discovered()
        url: str = prepare_grant_uri(
            known.metadata["authorization_endpoint"],
            self.provider.client_id,
            "code",
            redirect_uri,
            " ".join(("openid", *self.provider.scopes)),
            state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(code_verifier),  # type: ignore[no-untyped-call]
            code_challenge_method="S256",
        )
        return url

    async def claims(self, code: str, *, redirect_uri: str, nonce: str, code_verifier: str) -> Mapping[str, Any]:
        """Exchange a code for what the provider says about the person.

        Args:
            code: The code that the browser brought.
            redirect_uri: The one that was sent with the login.
            nonce: The one that was sent with the login.
            code_verifier: The secret whose challenge was sent with the login.

        Raises:
            IdentityProviderError: The provider rejects the code, or its response is invalid.
            IdentityProviderUnavailableError: The provider cannot be reached.
        """
        known = await self._discovered()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": code_verifier,
        }
        token = await self._request_token(known, form)
        id_token, access_token = token.get("id_token"), token.get("access_token")
        if not isinstance(id_token, str):
            raise IdentityProviderError("the identity provider sent no ID token")
        claims = await self._verified(known, id_token, nonce, access_token)
        if not self.provider.is_complete(claims) and isinstance(access_token, str):
            claims = {**await self._user_info(known, claims["sub"], access_token), **claims}
        return claims

    async def _request_token(self, known: _Known, form: dict[str, str]) -> Mapping[str, Any]:
        secret, authorization = self.provider.client_secret, None
        methods = known.metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if secret is None or ("client_secret_post" in methods and "client_secret_basic" not in methods):
            form["client_id"] = self.provider.client_id
            if secret is not None:
                form["client_secret"] = secret.reveal()
        else:
            authorization = basic_authorization(self.provider.client_id, secret.reveal())
        response = await _send("POST", known.metadata["token_endpoint"], form=form, authorization=authorization)
        token = _mapping(response)
        if response.status != 200:
            reason = ": ".join(printable(str(token[key])) for key in ("error", "error_description") if token.get(key))
            raise IdentityProviderError(
                f"the identity provider rejected the login at {response.url}: {reason or describe_status(response)}"
            )
        return token

    async def _verified(self, known: _Known, id_token: str, nonce: str, access_token: object) -> Mapping[str, Any]:
        try:
            decoded = await self._decoded(known, id_token)
            claims = CodeIDToken(
                decoded.claims,
                decoded.header,
                options={
                    "iss": {"essential": True, "value": known.metadata["issuer"]},
                    "aud": {"essential": True, "value": self.provider.client_id},
                },
                params={"nonce": nonce, "client_id": self.provider.client_id, "access_token": access_token},
            )
            claims.validate(leeway=_LEEWAY_SECONDS)
        except (JoseError, ValueError) as error:
            raise IdentityProviderError(f"the ID token of the identity provider is invalid: {error}") from error
        return dict(claims)

    async def _decoded(self, known: _Known, id_token: str) -> jwt.Token:
        try:
            return jwt.decode(id_token, known.keys, algorithms=_ALGORITHMS)
        except (JoseError, ValueError):
            # The provider may have begun to sign with a new key.
            if time.monotonic() - known.fetched_at < _RETRY_SECONDS:
                raise
            known = await self._discovered(newer_than=known.fetched_at)
            return jwt.decode(id_token, known.keys, algorithms=_ALGORITHMS)

    async def _user_info(self, known: _Known, subject: str, access_token: str) -> Mapping[str, Any]:
        url = known.metadata.get("userinfo_endpoint")
        if not isinstance(url, str):
            return {}
        response = await _send("GET", url, authorization=f"Bearer {access_token}")
        if response.status != 200:
            raise IdentityProviderError(
                f"the identity provider does not say who the person is: {response.url}: {describe_status(response)}"
            )
        claims = _mapping(response)
        if claims.get("sub") != subject:
            raise IdentityProviderError(f"{response.url} describes another person than the ID token")
        return claims

    async def _discovered(self, *, newer_than: float = float("-inf")) -> _Known:
        async with self._lock:
            known, now = self._known, time.monotonic()
            if known is not None and known.fetched_at > newer_than and now - known.fetched_at < _CACHE_SECONDS:
                return known
            if self._failure is not None and now - self._failure[0] < _RETRY_SECONDS:
                if known is None:
                    raise self._failure[1]
                return known
            try:
                self._known = await self._discover()
            except IdentityProviderUnavailableError as error:
                if self._failure is None:
                    _logger.warning("the identity provider cannot be used: %s", error)
                self._failure = (time.monotonic(), error)
                if known is None:
                    raise
                return known
            if self._failure is not None:
                self._failure = None
                _logger.info("the identity provider can be used again")
            return self._known

    async def _discover(self) -> _Known:
        issuer = self.provider.issuer
        url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
        metadata = await _fetched(url)
        if metadata.get("issuer") != issuer:
            raise IdentityProviderUnavailableError(
                f"{url} describes the issuer {printable(str(metadata.get('issuer')))!r}, not {issuer!r};"
                " --oidc-issuer must be exactly that"
            )
        for name in _ENDPOINTS:
            endpoint = metadata.get(name)
            if not isinstance(endpoint, str) or not endpoint.startswith(("https://", "http://")):
                raise IdentityProviderUnavailableError(f"{url} has no URL in {name!r}")
            if not endpoint.startswith("https://") and not is_loopback(endpoint):
                raise IdentityProviderUnavailableError(f"{url} has an {name!r} without TLS: {printable(endpoint)}")
        try:
            keys = KeySet.import_key_set(await _fetched(metadata["jwks_uri"]))  # type: ignore[arg-type]
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise IdentityProviderUnavailableError(f"{metadata['jwks_uri']} contains no keys: {error}") from error
        return _Known(metadata, keys, time.monotonic())


async def _fetched(url: str) -> Mapping[str, Any]:
    response = await _send("GET", url)
    if response.status != 200:
        raise IdentityProviderUnavailableError(f"the identity provider: {response.url}: {describe_status(response)}")
    try:
        return _mapping(response)
    except IdentityProviderError as error:
        raise IdentityProviderUnavailableError(str(error)) from error


async def _send(
    method: str, url: str, *, form: Mapping[str, str] | None = None, authorization: str | None = None
) -> EndpointResponse:
    try:
        async with endpoint_client(None, _TIMEOUT) as client:
            return await client.send(
                method,
                url,
                form=form,
                authorization=None if authorization is None else Secret(authorization),
                error=DiscoveryError,
            )
    except DiscoveryError as error:
        raise IdentityProviderUnavailableError(f"the identity provider cannot be reached: {error}") from None


def _mapping(response: EndpointResponse) -> Mapping[str, Any]:
    try:
        content = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        content = None
    if not isinstance(content, dict):
        if response.status != 200:
            return {}
        raise IdentityProviderError(f"the response of {response.url} is not a JSON object")
    return content
