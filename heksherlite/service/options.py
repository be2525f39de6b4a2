"""How a service is told what to do."""

import re
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Final, Literal, TypeAlias

from heksherlite.service.domain.limits import Limits

Auth: TypeAlias = Literal["none", "tokens"]
Network: TypeAlias = IPv4Network | IPv6Network

_PUBLIC_URL: Final = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*[^\s?#/])?")
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~\w-]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessOptions:
    """Who may use a service, and whom it believes.

    Attributes:
        auth: ``none`` lets everybody do everything, ``tokens`` asks for a token with the right scope.
        insecure: Whether ``none`` is fine on an address that other machines can reach.
        trust_user_header: The header in which a reverse proxy names the person who asks; None for no such header.
        trusted_proxies: From where that header is believed, and ``X-Forwarded-For``, ``-Proto`` and ``-Host``.
        operators: Who need not log in to let applications in, as that header names them; ``*`` is everybody it names.

    Raises:
        ValueError: The header is no name of a header, or nobody is trusted to send it; or there are operators and no
            header.
    """

    auth: Auth = "none"
    insecure: bool = False
    trust_user_header: str | None = None
    trusted_proxies: tuple[Network, ...] = ()
    operators: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.trust_user_header is None:
            if self.operators:
                raise ValueError("operators are known by the header with the user: say which one that is")
            return
        if _HEADER_NAME.fullmatch(self.trust_user_header) is None:
            raise ValueError(f"{self.trust_user_header!r} is not a name of a header")
        if not self.trusted_proxies:
            raise ValueError("a header with the user needs trusted proxies: anybody could send it otherwise")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceOptions:
    """How a service serves.

    Attributes:
        context_features: The expected context features in order; if empty, any will do.
        keep_history: For how long changes are kept in the history; None is for ever.
        access: Who may use it.
        limits: How much it takes in.
        cache_max_age: For how many seconds caches may answer queries without asking the service; 0 is never.
        access_log: Whether each request is logged, to ``heksherlite.access``.
        opentelemetry: Whether OpenTelemetry is set up as the variables ``OTEL_*`` say. Where the program has set it up,
            it is used in any case.
        public_url: Where the service is for its clients, such as ``https://settings.example.com``; None if it is where
            their requests, and trusted proxies, say.

    Raises:
        ValueError: The public URL is none.
    """

    context_features: tuple[str, ...] = ()
    keep_history: timedelta | None = None
    access: AccessOptions = AccessOptions()
    limits: Limits = Limits()  # noqa: RUF009 - immutable
    cache_max_age: int = 0
    access_log: bool = False
    opentelemetry: bool = False
    public_url: str | None = None

    def __post_init__(self) -> None:
        if self.public_url is not None and _PUBLIC_URL.fullmatch(self.public_url) is None:
            raise ValueError(f"{self.public_url!r} is not a URL such as https://settings.example.com")
