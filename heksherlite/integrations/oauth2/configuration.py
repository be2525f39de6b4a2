"""The configuration of an OAuth2 client. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from heksherlite.grants.facts import describe_type
from heksherlite.http.urls import http_url, is_loopback
from heksherlite.secret import Secret

REDIRECT_URI: Final = "http://127.0.0.1/callback"
"""The default redirect URI. The port is chosen when it is used (RFC 8252, section 7.3)."""

_AUTH_METHODS: Final = ("client_secret_basic", "client_secret_post", "none")


class GrantType(StrEnum):
    """How an access token is obtained."""

    CLIENT_CREDENTIALS = "client_credentials"
    AUTHORIZATION_CODE = "authorization_code"
    REFRESH_TOKEN = "refresh_token"  # noqa: S105
    DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


_GRANT_TYPES: Final = {
    "client_credentials": GrantType.CLIENT_CREDENTIALS,
    "authorization_code": GrantType.AUTHORIZATION_CODE,
    "refresh_token": GrantType.REFRESH_TOKEN,
    "device_code": GrantType.DEVICE_CODE,
    GrantType.DEVICE_CODE: GrantType.DEVICE_CODE,
}


class ConfigurationError(ValueError):
    """The configuration is malformed.

    Attributes:
        problems: The problem of each offending key.
    """

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{key}: {problem}" for key, problem in problems.items()))
        self.problems = dict(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth2Configuration:
    """The configuration of an OAuth2 client.

    Attributes:
        client_id: The client ID.
        client_secret: The client secret, or None for a public client.
        grant_type: How a token is obtained.
        token_url: The URL of the token endpoint, or None to discover it.
        authorization_url: The URL of the authorization endpoint, or None to discover it.
        device_authorization_url: The URL of the device authorization endpoint, or None to discover it.
        issuer: The URL of the authorization server, which is used to discover endpoints.
        redirect_uri: The redirect URI of an authorization code, on this machine.
        scopes: The scopes to request.
        audience: The service that the token is for.
        parameters: Further parameters of requests.
        refresh_token: A refresh token that the program has beforehand.
        auth_method: How the client authenticates, or None to choose.
    """

    client_id: str
    client_secret: Secret | None
    grant_type: GrantType
    token_url: str | None
    authorization_url: str | None
    device_authorization_url: str | None
    issuer: str | None
    redirect_uri: str
    scopes: tuple[str, ...]
    audience: str | None
    parameters: Mapping[str, str] = field(repr=False)
    refresh_token: Secret | None
    auth_method: str | None

    @property
    def identity(self) -> dict[str, Any]:
        """What a token is for. A token that was stored for something else is not used."""
        return {
            "server": self.issuer or self.token_url,
            "client_id": self.client_id,
            "grant_type": self.grant_type.value,
            "scopes": sorted(self.scopes),
            "audience": self.audience,
        }

    def request_parameters(self) -> dict[str, str]:
        """Return the parameters that all requests for a token have."""
        scope = {"scope": " ".join(self.scopes)} if self.scopes else {}
        audience = {} if self.audience is None else {"audience": self.audience}
        return {**self.parameters, **scope, **audience}

    def mask(self, text: str) -> str:
        """Return a text without the secrets of the client."""
        for secret in (self.client_secret, self.refresh_token):
            text = text if secret is None else secret.mask(text)
        return text


def read_configuration(members: Mapping[str, Any]) -> OAuth2Configuration:
    """Return the configuration in a group of facts, or in the arguments of a program.

    Args:
        members: The group. ``base_url`` stands for endpoints at ``token/``, ``authorize/`` and ``device_authorization``
            below it.

    Raises:
        ConfigurationError: If a key is missing or malformed. The error lists all of them, and no values.
    """
    reader = _Reader(members)
    grant_type = reader.grant_type()
    base_url = reader.url("base_url")
    issuer = reader.url("issuer")
    needed = {"token_url": f"{base_url}/token/"}
    if grant_type is GrantType.AUTHORIZATION_CODE:
        needed["authorization_url"] = f"{base_url}/authorize/"
    if grant_type is GrantType.DEVICE_CODE:
        needed["device_authorization_url"] = f"{base_url}/device_authorization"
    urls = {name: reader.url(name) or (below if base_url else None) for name, below in needed.items()}
    for name, url in urls.items():
        if url is None and issuer is None and name not in reader.problems:
            reader.problems[name] = "it is missing; expected it, or issuer or base_url"
    client_secret = reader.text("client_secret")
    refresh_token = reader.text("refresh_token")
    if grant_type is GrantType.CLIENT_CREDENTIALS and client_secret is None:
        reader.need("client_secret")
    if grant_type is GrantType.REFRESH_TOKEN and refresh_token is None:
        reader.need("refresh_token")
    configuration = OAuth2Configuration(
        client_id=reader.text("client_id") or reader.need("client_id"),
        client_secret=None if client_secret is None else Secret(client_secret),
        grant_type=grant_type,
        token_url=urls["token_url"],
        authorization_url=urls.get("authorization_url"),
        device_authorization_url=urls.get("device_authorization_url"),
        issuer=issuer,
        redirect_uri=reader.redirect_uri(),
        scopes=reader.scopes(),
        audience=reader.text("audience"),
        parameters=MappingProxyType(reader.parameters()),
        refresh_token=None if refresh_token is None else Secret(refresh_token),
        auth_method=reader.auth_method(),
    )
    if reader.problems:
        raise ConfigurationError(reader.problems)
    return configuration


class _Reader:
    """Reads the keys of a group, and collects what is wrong.

    Attributes:
        problems: The problem of each offending key.
    """

    def __init__(self, members: Mapping[str, Any]) -> None:
        self._members = members
        self.problems: dict[str, str] = {}

    def need(self, key: str) -> str:
        """Note that a key is missing or malformed."""
        self.problems.setdefault(key, f"expected a string, not {describe_type(self._members.get(key))}")
        return ""

    def text(self, key: str) -> str | None:
        """Return a text without the white space around it, or None if there is none."""
        value = self._members.get(key)
        if value is None:
            return None
        text = str(value).strip() if isinstance(value, str) else ""
        if not text:
            self.problems.setdefault(key, f"expected a string that is not empty, not {describe_type(value)}")
            return None
        return text

    def url(self, key: str) -> str | None:
        """Return a URL, or None if there is none. A slash at the end of a base URL does not matter."""
        text = self.text(key)
        if text is None:
            return None
        try:
            http_url(text)
        except ValueError as error:
            self.problems.setdefault(key, str(error))
            return None
        return text.rstrip("/") if key == "base_url" else text

    def grant_type(self) -> GrantType:
        """Return the grant type."""
        given = self._members.get("grant_type")
        if given is None:
            return GrantType.CLIENT_CREDENTIALS
        text = given.strip() if isinstance(given, str) else ""
        found = _GRANT_TYPES.get(text) or _GRANT_TYPES.get(text.replace("-", "_"))
        if found is None:
            known = ", ".join(name for name in _GRANT_TYPES if ":" not in name)
            what = f"unknown grant type {text!r}" if text else f"expected a string, not {describe_type(given)}"
            self.problems["grant_type"] = f"{what}; expected one of {known}"
        return found or GrantType.CLIENT_CREDENTIALS

    def redirect_uri(self) -> str:
        """Return the redirect URI, whose host must be this machine."""
        uri = self.url("redirect_uri") or REDIRECT_URI
        if not is_loopback(uri) or urlsplit(uri).scheme != "http":
            self.problems["redirect_uri"] = "expected a URL on this machine, like 'http://127.0.0.1:8080/callback'"
        return uri

    def scopes(self) -> tuple[str, ...]:
        """Return the scopes. They may be a text in which spaces separate them."""
        scopes = self._members.get("scopes") or []
        scopes = scopes.split() if isinstance(scopes, str) else scopes
        if not isinstance(scopes, list | tuple) or not all(isinstance(scope, str) for scope in scopes):
            self.problems["scopes"] = "expected a list of strings"
            return ()
        return tuple(scopes)

    def parameters(self) -> dict[str, str]:
        """Return the further parameters."""
        parameters = self._members.get("parameters") or {}
        if not isinstance(parameters, Mapping) or not all(isinstance(value, str) for value in parameters.values()):
            self.problems["parameters"] = "expected a mapping of strings"
            return {}
        return dict(parameters)

    def auth_method(self) -> str | None:
        """Return how the client authenticates."""
        method = self.text("token_endpoint_auth_method")
        if method is not None and method not in _AUTH_METHODS:
            expected = ", ".join(_AUTH_METHODS)
            self.problems["token_endpoint_auth_method"] = f"expected one of {expected}"
        return method
