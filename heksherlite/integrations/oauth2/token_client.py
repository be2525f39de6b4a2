"""Requests to an authorization server: its metadata (RFC 8414), and tokens.

Failures are returned as values and raised by the caller, because the frames here have secrets as local variables.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeGuard
from urllib.parse import urlsplit

import anyio
import httpx
import orjson
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749 import OAuth2Token
from authlib.oauth2.rfc6749.parameters import prepare_token_request
from authlib.oauth2.rfc8414 import get_well_known_url

from heksherlite.http.endpoint_client import REQUEST_ERRORS, request_error_reason
from heksherlite.http.proxies import proxy_of
from heksherlite.http.urls import http_url, printable, shown_url
from heksherlite.integrations.oauth2.configuration import OAuth2Configuration

_TIMEOUT: Final = 10
_METADATA: Final = {
    "token_url": "token_endpoint",
    "authorization_url": "authorization_endpoint",
    "device_authorization_url": "device_authorization_endpoint",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no token.

    Attributes:
        url: The URL of the request, without secrets.
        reason: What went wrong, without secrets.
        code: The error code of the authorization server, such as ``invalid_client``, or an empty string.
    """

    url: str
    reason: str
    code: str = ""


class TokenClient:
    """Sends requests to the endpoints of an authorization server.

    Args:
        configuration: The configuration of the client.
        http_client_args: Arguments for :class:`httpx.AsyncClient`.
    """

    def __init__(self, configuration: OAuth2Configuration, http_client_args: Mapping[str, Any]) -> None:
        self.configuration: Final = configuration
        self._http_client_args: Final = {**http_client_args, "follow_redirects": False}
        self._metadata: Mapping[str, Any] | None = None

    async def endpoint(self, name: str) -> str | Failure:
        """Return the URL of an endpoint: that of the configuration, or else that of the issuer's metadata.

        Args:
            name: The name of the URL in the configuration, such as ``token_url``.
        """
        url = getattr(self.configuration, name)
        if isinstance(url, str):
            return url
        issuer = self.configuration.issuer or ""
        metadata = await self._discover(issuer)
        if isinstance(metadata, Failure):
            return metadata
        url = metadata.get(_METADATA[name])
        if not isinstance(url, str):
            return Failure(shown_url(issuer), f"the metadata of the issuer has no {_METADATA[name]!r}")
        try:
            http_url(url)
        except ValueError as error:
            return Failure(shown_url(issuer), f"{_METADATA[name]!r} in the metadata of the issuer: {error}")
        if urlsplit(issuer).scheme == "https" and urlsplit(url).scheme != "https":
            reason = f"the metadata leads from HTTPS to {shown_url(url)}; credentials would be unencrypted"
            return Failure(shown_url(issuer), reason)
        return url

    async def request_token(self, grant_type: str, **parameters: str) -> OAuth2Token | Failure:
        """Return the token that the token endpoint grants.

        Args:
            grant_type: The grant type of the request.
            parameters: The parameters of the grant type.
        """
        url = await self.endpoint("token_url")
        if isinstance(url, Failure):
            return url
        body = prepare_token_request(grant_type, **{**self.configuration.request_parameters(), **parameters})
        response = await self.post(url, body)
        if isinstance(response, Failure):
            return response
        outcome = read_token(response)
        if isinstance(outcome, OAuth2Token):
            return outcome
        code, reason = outcome
        for secret in parameters.values():
            reason = reason.replace(secret, "********") if len(secret) > 3 else reason
        return Failure(shown_url(url), self.configuration.mask(reason), code)

    async def post(self, url: str, body: str) -> httpx.Response | Failure:
        """Return the response to a form that the client authenticates."""
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"}
        secret = self.configuration.client_secret
        client_auth = ClientAuth(self.configuration.client_id, secret and secret.reveal(), self._auth_method())
        url, headers, content = client_auth.prepare("POST", url, headers, body)  # type: ignore[no-untyped-call]
        return await self._send("POST", url, headers=headers, content=content)

    def _auth_method(self) -> str:
        if self.configuration.auth_method is not None:
            return self.configuration.auth_method
        if self.configuration.client_secret is None:
            return "none"
        supported = (self._metadata or {}).get("token_endpoint_auth_methods_supported")
        if isinstance(supported, list) and "client_secret_basic" not in supported and "client_secret_post" in supported:
            return "client_secret_post"
        return "client_secret_basic"

    async def _discover(self, issuer: str) -> Mapping[str, Any] | Failure:
        """Return the metadata of the issuer: that of OAuth2, or else that of OpenID Connect."""
        if self._metadata is not None:
            return self._metadata
        oauth2 = get_well_known_url(issuer.rstrip("/"), external=True)
        failures: list[str] = []
        for url in (oauth2, f"{issuer.rstrip('/')}/.well-known/openid-configuration"):
            response = await self._send("GET", url, headers={"Accept": "application/json"})
            if isinstance(response, Failure):
                return response
            metadata = read_object(response)
            if response.status_code != 200 or metadata is None:
                failures.append(f"{shown_url(url)}: status {response.status_code}, and no metadata")
            elif str(metadata.get("issuer", "")).rstrip("/") != issuer.rstrip("/"):
                named = printable(str(metadata.get("issuer")))
                return Failure(shown_url(url), f"the metadata is that of another issuer, {named!r}")
            else:
                self._metadata = metadata
                return metadata
        return Failure(shown_url(issuer), f"the issuer has no metadata: {'; '.join(failures)}")

    async def _send(self, method: str, url: str, **options: Any) -> httpx.Response | Failure:
        try:
            with anyio.fail_after(_TIMEOUT):
                async with httpx.AsyncClient(**self._http_client_args) as http:
                    return await http.request(method, url, **options)
        except REQUEST_ERRORS as failure:
            proxy = proxy_of(url, self._http_client_args)
            return Failure(shown_url(url), request_error_reason(failure, _TIMEOUT, proxy))


def read_token(response: httpx.Response) -> OAuth2Token | tuple[str, str]:
    """Return the token in a response, or an error code and a reason."""
    members = read_object(response) or {}
    token = members.get("access_token")
    if response.status_code == 200 and _is_token(token):
        if str(members.get("token_type", "bearer")).lower() != "bearer":
            return "", "the token is not a bearer token"
        seconds = members.get("expires_in")
        expires = {"expires_in": seconds} if isinstance(seconds, int) and seconds > 0 else {}
        refresh_token = members.get("refresh_token")
        refresh = {"refresh_token": refresh_token} if _is_token(refresh_token) else {}
        return OAuth2Token({"access_token": token, **expires, **refresh})
    code = members.get("error")
    if response.status_code == 401 and not isinstance(code, str):
        code = "invalid_client"
    return str(code or ""), describe_error("no access token in the response", response)


def describe_error(problem: str, response: httpx.Response) -> str:
    """Return why a response is not what was expected, with what the server said."""
    members = read_object(response) or {}
    texts = (members.get("error"), members.get("error_description"))
    said = [printable(text) for text in texts if isinstance(text, str)]
    return ": ".join([f"{problem}, status {response.status_code}", *said])


def read_object(response: httpx.Response) -> dict[str, Any] | None:
    """Return the object in a response, or None if it has none."""
    try:
        body = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return None
    return body if isinstance(body, dict) else None


def _is_token(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value.isascii() and value.isprintable() and value != ""
