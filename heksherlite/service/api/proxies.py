"""Where a request comes from, and what a reverse proxy in front of the service says about that."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.types import Scope

from heksherlite.service.api.refusals import Refusal
from heksherlite.service.options import AccessOptions

_LONGEST_USER = 320  # characters: the longest e-mail address


class Origins:
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

    def person(self, scope: Scope) -> str | None:
        """Return the person whom a trusted proxy names.

        Raises:
            Refusal: A trusted proxy names several, or what can be no name.
        """
        if not self._user_header or not self._trusts(_peer(scope)):
            return None
        people = list(_values(scope, self._user_header))
        if not people:
            return None
        if len(people) > 1:
            # The proxy passed on what the client sent, which may be any name at all.
            raise Refusal(400, f"there is more than one header {self._user_header.decode()}")
        person = people[0].strip()
        if len(person) > _LONGEST_USER or not person.isprintable():
            raise Refusal(400, f"the header {self._user_header.decode()} does not hold a name")
        return person or None

    def scheme(self, scope: Scope) -> str:
        """Return how the client reached the service: ``https``, if a trusted proxy says so, or ``http``."""
        if self._trusts(_peer(scope)):
            for said in ",".join(_values(scope, b"x-forwarded-proto")).split(",")[-1:]:
                if said.strip().lower() in {"http", "https"}:
                    return said.strip().lower()
        scheme: str = scope["scheme"]
        return scheme

    def host(self, scope: Scope) -> str:
        """Return the host, with its port if there is one, by which the client knows the service."""
        names = list(_values(scope, b"host"))
        if self._trusts(_peer(scope)):
            names += _values(scope, b"x-forwarded-host")
        return names[-1].strip().lower() if names else ""

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
