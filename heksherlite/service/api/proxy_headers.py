"""Where a request comes from, and what a reverse proxy in front of the service says about that."""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.types import Scope

from heksherlite.service.api.access_denied import AccessDeniedError
from heksherlite.service.options import AccessOptions

_LONGEST_USER = 320  # characters: the longest e-mail address
_HOST = re.compile(r"([A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")


class ProxyHeaders:
    """Finds out who sent a request; only trusted proxies are asked.

    Args:
        options: Which proxies are trusted, and the header in which they name a person.
    """

    def __init__(self, options: AccessOptions) -> None:
        self._networks = options.trusted_proxies
        self._user_header = (options.trust_user_header or "").lower().encode()

    def address(self, scope: Scope) -> str:
        """Return the address of the client: the last one on the way that is no trusted proxy."""
        address = _peer(scope)
        if self._trusts(address):
            for hop in reversed(",".join(_values(scope, b"x-forwarded-for")).split(",")):
                if _parsed(hop.strip()) is None:
                    break
                address = hop.strip()
                if not self._trusts(address):
                    break
        return address

    def is_secure(self, scope: Scope) -> bool:
        """Tell whether the client speaks HTTPS, to a trusted proxy or to the service itself."""
        return (self._forwarded(scope, b"x-forwarded-proto") or scope["scheme"]).lower() == "https"

    def base_url(self, scope: Scope) -> str:
        """Return the URL of the service as the client has it, without a slash at its end."""
        host = self._forwarded(scope, b"x-forwarded-host") or next(_values(scope, b"host"), "")
        if _HOST.fullmatch(host) is None:
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
        """Return the person whom a trusted proxy names.

        Raises:
            AccessDeniedError: A trusted proxy names several, or what can be no name.
        """
        if not self._user_header or not self._trusts(_peer(scope)):
            return None
        people = list(_values(scope, self._user_header))
        if not people:
            return None
        if len(people) > 1:
            # The proxy passed on what the client sent, which may be any name at all.
            raise AccessDeniedError(400, f"there is more than one header {self._user_header.decode()}")
        person = people[0].strip()
        if len(person) > _LONGEST_USER or not person.isprintable():
            raise AccessDeniedError(400, f"the header {self._user_header.decode()} does not hold a name")
        return person or None

    def _trusts(self, address: str) -> bool:
        if not self._networks:
            return False
        parsed = _parsed(address)
        return parsed is not None and any(parsed in network for network in self._networks)


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


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
