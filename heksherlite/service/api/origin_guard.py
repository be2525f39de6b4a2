"""Protects a service without tokens from web pages: any page that a browser opens could otherwise use the service.

A page of another site can send requests to this machine (cross-site request forgery), and a site whose host name is
pointed to this machine can also read the responses (DNS rebinding).
"""

from collections.abc import Collection
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from starlette.types import Scope

from heksherlite.service.api.access_denied import AccessDeniedError
from heksherlite.service.api.proxy_headers import ProxyHeaders

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_MAX_REMEMBERED_HOSTS: Final = 1_000


class OriginGuard:
    """Determines whether requests come from pages of this service.

    Args:
        proxy_headers: Determines the host name by which a client addresses the service.
        public_url: The URL of the service for its clients; None if it is not configured.
    """

    def __init__(self, proxy_headers: ProxyHeaders, public_url: str | None) -> None:
        self._proxy_headers = proxy_headers
        self._public_url = public_url
        self._own_hosts: set[bytes] = set()
        self._public_host = urlsplit(public_url).hostname if public_url else None

    def check(self, scope: Scope, permitted: Collection[str] = ()) -> None:
        """Require that a request addresses the service by its own name, and that no other site sends a write.

        Args:
            scope: The scope of the request.
            permitted: The origins of sites that may send the request all the same.

        Raises:
            AccessDeniedError: The host name may belong to another site, or the request is a write from another site.
        """
        self._require_own_host(scope)
        if scope["method"] in _SAFE_METHODS or self.is_same_origin(scope):
            return
        if _sent_origin(scope) not in permitted and "*" not in permitted:
            raise AccessDeniedError(
                403,
                "this request was sent by a page of another site; without tokens, only pages of this service and"
                " programs may write",
            )

    def is_same_origin(self, scope: Scope) -> bool:
        """Return whether a request comes from a page of this service, or from a program.

        Browsers send ``Sec-Fetch-Site`` or ``Origin`` with every write. Programs send neither.
        """
        site = origin = None
        for name, value in scope["headers"]:
            if name == b"sec-fetch-site":
                site = value
            elif name == b"origin":
                origin = value.decode("latin-1").lower()
        if site is not None:
            return site in {b"same-origin", b"none"}
        return origin is None or origin in {
            _origin_of(url) for url in (self._proxy_headers.base_url(scope), self._public_url) if url
        }

    def _require_own_host(self, scope: Scope) -> None:
        sent = next((value for name, value in scope["headers"] if name == b"host"), b"")
        if sent in self._own_hosts:
            return
        host = urlsplit(self._proxy_headers.base_url(scope)).hostname or ""
        # No site can own a name without a dot, or an address.
        if "." in host and host != self._public_host and not host.endswith(".localhost") and not _is_address(host):
            raise AccessDeniedError(
                403,
                f"this service is not known as {host}; use its IP address, or start the service with"
                f" --public-url {self._proxy_headers.base_url(scope)}",
            )
        if not self._proxy_headers.trusts_proxies and len(self._own_hosts) < _MAX_REMEMBERED_HOSTS:
            self._own_hosts.add(sent)


def _sent_origin(scope: Scope) -> str | None:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"), None)


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
