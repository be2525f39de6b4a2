"""The wire protocol of endpoints: the manifest, the endpoint and the responses. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import orjson

from heksherlite.grants.facts import Facts, describe_type, find_problem
from heksherlite.http.urls import http_url, printable, shown_url
from heksherlite.secret import Secret

WELL_KNOWN: Final = ".well-known/fakts"

BEACON_PORT: Final = 45678
"""The UDP port of beacons."""

_MAX_CODE_LENGTH: Final = 64
_MESSAGE_MEMBERS: Final = ("message", "error_description", "error", "detail")
"""The members in which endpoints give a reason."""

_MAX_DEVICE_CODE_LENGTH: Final = 1024

_MAX_TIME: Final = 2**37
"""The upper limit of a timestamp, in seconds since 1970."""

GrantedResponse = Mapping[str, Any]
"""The body of a response with the status "granted"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The description of an application that demands facts.

    Args:
        identifier: The globally unique name of the application, such as ``org.example.app``.
        version: The version of the application.
        scopes: The scopes that it requests.
        image: The URL of a picture of the application, which is displayed to people.
        logo: The URL of its logo, for endpoints that read this field.
        further: Further fields for the endpoint, as JSON. An endpoint ignores fields that it does not know.

    Raises:
        ValueError: If identifier or version is empty, or a further field has the name of another one.
        TypeError: If scopes is a string.
    """

    identifier: str
    version: str
    scopes: tuple[str, ...] = ()
    image: str | None = None
    logo: str | None = None
    further: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.scopes, str):
            raise TypeError("the scopes of a manifest must be a sequence of names, not a string")
        object.__setattr__(self, "scopes", tuple(self.scopes))
        if not self.identifier or not self.version:
            raise ValueError("a manifest needs an identifier and a version that are not empty")
        if taken := sorted(set(self.further) & {*self.__slots__}):
            raise ValueError(f"{taken[0]} is a field of the manifest itself, and cannot be a further one")

    def body(self) -> dict[str, Any]:
        """Return the manifest as JSON."""
        pictures = {name: url for name, url in (("image", self.image), ("logo", self.logo)) if url is not None}
        own = {"identifier": self.identifier, "version": self.version, "scopes": list(self.scopes)}
        return {**own, **pictures, **self.further}

    def parameters(self) -> dict[str, str]:
        """Return the manifest as query parameters of a page."""
        image = {} if self.image is None else {"image": self.image}
        return {"version": self.version, "scope": " ".join(self.scopes), "identifier": self.identifier, **image}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A service that provides facts.

    Args:
        name: The name of the endpoint.
        base_url: The base URL of its calls. A slash is appended if it is missing.
        description: A description for people.
        retrieve_url: The URL of the call ``retrieve``, if it is not below ``base_url``.
        claim_url: The URL of the call ``claim``, if it is not below ``base_url``.
        version: The version of the endpoint.
        is_pinned: Whether the program chose this endpoint. Secrets that the program has beforehand are only sent to
            pinned endpoints.
        certificate: The only certificate, in DER, that is accepted in connections to it. None: any valid one.

    Raises:
        ValueError: If one of the URLs is not an HTTP URL.
    """

    name: str
    base_url: str
    description: str = ""
    retrieve_url: str | None = None
    claim_url: str | None = None
    version: str = ""
    is_pinned: bool = True
    certificate: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", http_url(self.base_url).rstrip("/") + "/")
        for url in (self.retrieve_url, self.claim_url):
            if url is not None:
                http_url(url)

    def url(self, call: str) -> str:
        """Return the URL of a call, such as ``claim``."""
        own = {"claim": self.claim_url, "retrieve": self.retrieve_url}.get(call)
        return own or f"{self.base_url}{call}/"

    def page(self, code: str, manifest: Manifest | None) -> str:
        """Return the URL of the page where a person approves or denies.

        Args:
            code: The user code.
            manifest: The application, if the endpoint does not know it yet.
        """
        parameters = {"device_code": code, "grant": "device_code", **(manifest.parameters() if manifest else {})}
        return f"{self.base_url}configure/?{urlencode(parameters)}"


class InvalidResponseError(Exception):
    """A response does not have the expected content. It never leaves this package."""


def read_json(content: bytes) -> Any:
    """Return the JSON value of a body.

    Raises:
        InvalidResponseError: If it is not JSON.
    """
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        raise InvalidResponseError("the response is not JSON") from None


def read_endpoint(content: bytes, requested_url: str) -> Endpoint:
    """Return the endpoint that a well-known URL describes.

    Args:
        content: The body.
        requested_url: The well-known URL.

    Raises:
        InvalidResponseError: If the body does not describe an endpoint, or leads from HTTPS to HTTP.
    """
    data = _object(read_json(content))
    texts: dict[str, Any] = {}
    for name in ("name", "base_url", "description", "retrieve_url", "claim_url", "version"):
        value = data.get(name)
        if value is not None and not isinstance(value, str):
            raise InvalidResponseError(f"{name!r} must be a string, not {describe_type(value)}")
        if value:
            texts[name] = value
        elif name in ("name", "base_url"):
            raise InvalidResponseError(f"the response has no {name!r}")
    try:
        endpoint = Endpoint(**texts)
    except ValueError as error:
        raise InvalidResponseError(str(error)) from None
    urls = [url for url in (endpoint.base_url, endpoint.retrieve_url, endpoint.claim_url) if url]
    if _is_https(requested_url) and (insecure := [url for url in urls if not _is_https(url)]):
        raise InvalidResponseError(f"it leads from HTTPS to {shown_url(insecure[0])}; tokens would be unencrypted")
    return endpoint


def read_status(content: bytes) -> tuple[str, GrantedResponse]:
    """Return the ``status`` of a response, and its body.

    Raises:
        InvalidResponseError: If it has no status.
    """
    data = _object(read_json(content))
    status = data.get("status")
    if not isinstance(status, str):
        raise InvalidResponseError("the response has no 'status'")
    return status, data


def read_message(content: bytes) -> str:
    """Return the message of a response, or an empty string."""
    try:
        data = read_json(content)
    except InvalidResponseError:
        return ""
    members = data if isinstance(data, dict) else {}
    messages = (members.get(name) for name in _MESSAGE_MEMBERS)
    return next((printable(message) for message in messages if isinstance(message, str) and message), "")


def read_token(granted: GrantedResponse) -> Secret:
    """Return the token of a response.

    Raises:
        InvalidResponseError: If it has no token.
    """
    token = granted.get("token")
    if not isinstance(token, str) or not token:
        raise InvalidResponseError(f"'token' must be a string, not {describe_type(token)}")
    return Secret(token)


def read_code(granted: GrantedResponse) -> str:
    """Return the user code of a response.

    Raises:
        InvalidResponseError: If it has no code that a person can compare.
    """
    code = granted.get("code")
    plain = isinstance(code, str) and code.isascii() and code.replace("-", "").isalnum()
    if not isinstance(code, str) or not plain or len(code) > _MAX_CODE_LENGTH:
        raise InvalidResponseError("'code' must be a string of letters and digits")
    return code


def read_device_code(granted: GrantedResponse) -> Secret | None:
    """Return the secret device code of a response, RFC 8628; ``None`` if an older endpoint has none.

    Raises:
        InvalidResponseError: If it is malformed.
    """
    device_code = granted.get("device_code")
    if device_code is None:
        return None
    if not isinstance(device_code, str) or not device_code or len(device_code) > _MAX_DEVICE_CODE_LENGTH:
        raise InvalidResponseError(f"'device_code' must be a string, not {describe_type(device_code)}")
    return Secret(device_code)


def read_config(granted: GrantedResponse) -> Facts:
    """Return the facts of a response.

    Raises:
        InvalidResponseError: If it has no facts.
    """
    config: Any = granted.get("config")
    if problem := find_problem(config):
        raise InvalidResponseError(f"'config': {problem}")
    return dict(config)


def read_expiry(granted: GrantedResponse) -> float | None:
    """Return when the token of a response expires, in seconds since 1970. Endpoints may not say that."""
    expires_at = granted.get("expires_at")
    if not isinstance(expires_at, int | float) or isinstance(expires_at, bool):
        return None
    return expires_at if 0 <= expires_at < _MAX_TIME else None


def read_secret_paths(granted: GrantedResponse) -> frozenset[tuple[str, ...]]:
    """Return the key paths of the facts that the endpoint calls secret. Endpoints may not say that."""
    paths = granted.get("secrets")
    paths = paths if isinstance(paths, list) else []
    return frozenset(tuple(map(str, keys)) for keys in paths if isinstance(keys, list) and keys)


def _is_https(url: str) -> bool:
    return urlsplit(url).scheme == "https"


def _object(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise InvalidResponseError(f"the response must be an object, not {describe_type(data)}")
    return data
