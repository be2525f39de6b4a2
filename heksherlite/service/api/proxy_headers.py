"""The origin of a request: its address, scheme and host, and the person, as trusted reverse proxies report them."""

import re
from collections.abc import Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

from starlette.types import Scope

from heksherlite.service.api.access_denied import AccessDeniedError
from heksherlite.service.options import AccessOptions

_MAX_USER_LENGTH: Final = 320  # characters, as for an e-mail address
_HOST: Final = re.compile(r"([A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")


class ProxyHeaders:
    """Determines the origin of requests; it believes only the headers of trusted proxies.

    Args:
        options: The trusted proxies, and the header in which they name a person.
    """

    def __init__(self, options: AccessOptions) -> None:
        self._networks = options.trusted_proxies
        self._user_header = (options.trust_user_header or "").lower().encode()

    @property
    def trusts_proxies(self) -> bool:
        """Whether there are trusted proxies."""
        return bool(self._networks)

    def address(self, scope: Scope) -> str:
        """Return the address of the client: the last hop that is not a trusted proxy."""
        address = _peer(scope)
        if self._trusts(address):
            for hop in reversed(",".join(_values(scope, b"x-forwarded-for")).split(",")):
                if _parse_address(hop.strip()) is None:
                    break
                address = hop.strip()
                if not self._trusts(address):
                    break
        return address

    def is_secure(self, scope: Scope) -> bool:
        """Return whether the client uses HTTPS, to a trusted proxy or to the service itself."""
        return (self._forwarded(scope, b"x-forwarded-proto") or scope.get("scheme", "http")).lower() == "https"

    def base_url(self, scope: Scope) -> str:
        """Return the URL of the service as the client knows it, without a trailing slash.

        Raises:
            AccessDeniedError: The host is malformed.
        """
        host = self._forwarded(scope, b"x-forwarded-host") or next(_values(scope, b"host"), "")
        if host and _HOST.fullmatch(host) is None:
            raise AccessDeniedError(400, f"the Host {host[:100]!r} is malformed")
        if not host:
            address, port = scope.get("server") or ("localhost", None)
            host = f"[{address}]" if ":" in address else address
            host = host if port is None else f"{host}:{port}"
        return f"{'https' if self.is_secure(scope) else 'http'}://{host}{scope.get('root_path', '').rstrip('/')}"

    def _forwarded(self, scope: Scope, header: bytes) -> str | None:
        if not self._trusts(_peer(scope)):
            return None
        values = list(_values(scope, header))
        return values[-1].rpartition(",")[2].strip() if values else None

    def person(self, scope: Scope) -> str | None:
        """Return the person named by a trusted proxy, or None.

        Raises:
            AccessDeniedError: The header is repeated, or its value is not a name.
        """
        if not self._user_header or not self._trusts(_peer(scope)):
            return None
        people = list(_values(scope, self._user_header))
        if not people:
            return None
        if len(people) > 1:
            # The proxy added its header to one from the client, which may contain any name.
            raise AccessDeniedError(400, f"the header {self._user_header.decode()} is repeated")
        person = people[0].strip()
        if len(person) > _MAX_USER_LENGTH or not person.isprintable():
            raise AccessDeniedError(400, f"the header {self._user_header.decode()} does not contain a name")
        return person or None

    def _trusts(self, address: str) -> bool:
        if not self._networks:
            return False
        parsed = _parse_address(address)
        return parsed is not None and any(parsed in network for network in self._networks)


def _parse_address(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


@lru_cache(maxsize=1024)
def client_network(address: str) -> str:
    """Return the key under which requests from an address are limited: the /64 network of an IPv6 address.

    A client usually has a whole /64 network, so limits per IPv6 address would not limit it.
    """
    parsed = _parse_address(address)
    return str(IPv6Network((parsed, 64), strict=False)) if isinstance(parsed, IPv6Address) else address


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


def _values(scope: Scope, wanted: bytes) -> Iterator[str]:
    for name, value in scope["headers"]:
        if name == wanted:
            try:
                yield value.decode()
            except UnicodeDecodeError:
                yield value.decode("latin-1")
