"""The wire: what is asked of an endpoint, and what its answers say. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import orjson

from heksherlite.grants.facts import Facts, kind, problem_of
from heksherlite.http.urls import http_url, printable, shown_url
from heksherlite.secret import Secret

WELL_KNOWN: Final = ".well-known/fakts"

BEACON_PORT: Final = 45678
"""The UDP port of beacons."""

_LONGEST_CODE: Final = 64

Granted = Mapping[str, Any]
"""What an endpoint answers when it grants something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Who asks for facts.

    Args:
        identifier: A name of the application that no other one has, such as ``org.example.app``.
        version: Its version.
        scopes: What it wants to be allowed.
        image: The URL of a picture of it, to show to people.

    Raises:
        ValueError: If identifier or version is empty.
        TypeError: If scopes is one string.
    """

    identifier: str
    version: str
    scopes: tuple[str, ...] = ()
    image: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.scopes, str):
            raise TypeError("the scopes of a manifest must be several names, not one string")
        object.__setattr__(self, "scopes", tuple(self.scopes))
        if not self.identifier or not self.version:
            raise ValueError("a manifest needs an identifier and a version")

    def body(self) -> dict[str, Any]:
        """Return it as it is sent."""
        image = {} if self.image is None else {"image": self.image}
        return {"identifier": self.identifier, "version": self.version, "scopes": list(self.scopes), **image}

    def parameters(self) -> dict[str, str]:
        """Return it as it is in the query of a page."""
        image = {} if self.image is None else {"image": self.image}
        return {"version": self.version, "scope": " ".join(self.scopes), "identifier": self.identifier, **image}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """What gives facts.

    Args:
        name: What people call it.
        base_url: The URL that its addresses are below. Ends in a slash.
        description: What people should know about it.
        retrieve_url: Where registered applications get their tokens, if that is not below ``base_url``.
        claim_url: Where facts are, if that is not below ``base_url``.
        version: Of the endpoint.

    Raises:
        ValueError: If one of the URLs is not an HTTP URL.
    """

    name: str
    base_url: str
    description: str = ""
    retrieve_url: str | None = None
    claim_url: str | None = None
    version: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", http_url(self.base_url).rstrip("/") + "/")
        for url in (self.retrieve_url, self.claim_url):
            if url is not None:
                http_url(url)

    def url(self, call: str) -> str:
        """Return the address of a call, such as ``claim``."""
        own = {"claim": self.claim_url, "retrieve": self.retrieve_url}.get(call)
        return own or f"{self.base_url}{call}/"

    def page(self, code: str, manifest: Manifest | None) -> str:
        """Return the address of the page where a person decides.

        Args:
            code: What the person's decision is about.
            manifest: What the page is to say, if the endpoint does not know it yet.
        """
        parameters = {"device_code": code, "grant": "device_code", **(manifest.parameters() if manifest else {})}
        return f"{self.base_url}configure/?{urlencode(parameters)}"


class Unusable(Exception):  # noqa: N818 - never leaves this package
    """An answer is not what it should be."""


def read_json(content: bytes) -> Any:
    """Return what a body says.

    Raises:
        Unusable: If it is not JSON.
    """
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        raise Unusable("the answer is not JSON") from None


def read_endpoint(content: bytes, asked: str) -> Endpoint:
    """Return the endpoint that a well-known address describes.

    Args:
        content: The body.
        asked: The address.

    Raises:
        Unusable: If it is not an endpoint's description, or leads from HTTPS to HTTP.
    """
    data = _object(read_json(content))
    texts: dict[str, Any] = {}
    for name in ("name", "base_url", "description", "retrieve_url", "claim_url", "version"):
        value = data.get(name)
        if value is not None and not isinstance(value, str):
            raise Unusable(f"{name!r} must be a string, not {kind(value)}")
        if value:
            texts[name] = value
        elif name in ("name", "base_url"):
            raise Unusable(f"the answer has no {name!r}")
    try:
        endpoint = Endpoint(**texts)
    except ValueError as error:
        raise Unusable(str(error)) from None
    urls = [url for url in (endpoint.base_url, endpoint.retrieve_url, endpoint.claim_url) if url]
    if _is_https(asked) and (insecure := [url for url in urls if not _is_https(url)]):
        raise Unusable(f"it leads from HTTPS to {shown_url(insecure[0])}, where tokens could be read on the way")
    return endpoint


def read_status(content: bytes) -> tuple[str, Granted]:
    """Return an answer's ``status``, and all of the answer.

    Raises:
        Unusable: If it has none.
    """
    data = _object(read_json(content))
    status = data.get("status")
    if not isinstance(status, str):
        raise Unusable("the answer has no 'status'")
    return status, data


def read_message(content: bytes) -> str:
    """Return what an answer says for people; nothing if it says nothing."""
    try:
        data = read_json(content)
    except Unusable:
        return ""
    message = data.get("message") if isinstance(data, dict) else None
    return printable(message) if isinstance(message, str) else ""


def read_token(granted: Granted) -> Secret:
    """Return the token that is granted.

    Raises:
        Unusable: If there is none.
    """
    token = granted.get("token")
    if not isinstance(token, str) or not token:
        raise Unusable(f"'token' must be a string, not {kind(token)}")
    return Secret(token)


def read_code(granted: Granted) -> str:
    """Return the device code that is granted.

    Raises:
        Unusable: If there is none that a person could compare.
    """
    code = granted.get("code")
    plain = isinstance(code, str) and code.isascii() and code.replace("-", "").isalnum()
    if not isinstance(code, str) or not plain or len(code) > _LONGEST_CODE:
        raise Unusable("'code' must be a string of letters and digits")
    return code


def read_config(granted: Granted) -> Facts:
    """Return the facts that are granted.

    Raises:
        Unusable: If there are none.
    """
    config: Any = granted.get("config")
    if problem := problem_of(config):
        raise Unusable(f"'config': {problem}")
    return dict(config)


def _is_https(url: str) -> bool:
    return urlsplit(url).scheme == "https"


def _object(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise Unusable(f"the answer must be an object, not {kind(data)}")
    return data
