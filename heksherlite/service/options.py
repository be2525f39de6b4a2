"""The options of a service."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Final, Literal, TypeAlias, get_args

from heksherlite.names import CONTEXT_FEATURE_NAME, SETTING_NAME
from heksherlite.service.domain.colors import is_color
from heksherlite.service.domain.identity_providers import IdentityProvider
from heksherlite.service.domain.limits import Limits
from heksherlite.service.domain.tokens import FULL_ACCESS, Access, Scope

Auth: TypeAlias = Literal["none", "tokens"]
Network: TypeAlias = IPv4Network | IPv6Network

_PUBLIC_URL: Final = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*[^\s?#/])?")
_ORIGIN: Final = re.compile(r"\*|[a-z][a-z0-9+.-]*://[^\s/?#@]+")
_ROOT_PATH: Final = re.compile(r"(/[A-Za-z0-9._~-]+)*")
_EVERY_PERSON: Final = "*"
_EDITOR_SCOPES: Final = frozenset({Scope.READ, Scope.PROPOSE, Scope.WRITE})
_VIEWER_SCOPES: Final = frozenset({Scope.READ})
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~\w-]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessOptions:
    """Who may use a service.

    Attributes:
        auth: ``none`` authorizes every request; ``tokens`` requires a token with the scope of the route.
        insecure: Whether ``none`` is permitted on an address that other machines can reach.
        trust_user_header: The header in which a reverse proxy names the person who sends a request; None for no such
            header.
        trusted_proxies: The networks of the reverse proxies whose headers are trusted: ``trust_user_header``, and
            ``X-Forwarded-For``, ``-Proto`` and ``-Host``.
        operators: The people who may do everything without logging in, as ``trust_user_header`` names them; ``*`` is
            every person whom the header names.
        editors: The people who may read, propose and write without logging in; ``*`` as above.
        viewers: The people who may read without logging in; ``*`` as above.
        setting_prefixes: The setting prefixes of editors and viewers who are limited to some settings, by person.
        session_lifetime: How long a person remains logged in on the pages at most, in seconds.
        session_idle_timeout: After how long without a request a person is logged out, in seconds.
        identity_provider: The OpenID Connect provider at which people log in; None for no such provider.
        client_codes: Whether to accept device codes that clients choose themselves, as old clients do. Such codes are
            short, and whoever sees one can collect the token.
        strict_declarations: Whether a token with ``declare`` alone upgrades only the settings that it declared first or
            was added to. None: as new databases are made if tokens are required.

    Raises:
        ValueError: ``auth`` is something else, the header name is invalid, no proxy is trusted to send the header,
            there are people but no header, an operator has a setting prefix, a setting prefix belongs to nobody, or a
            duration is not positive.
    """

    auth: Auth = "none"
    insecure: bool = False
    trust_user_header: str | None = None
    trusted_proxies: tuple[Network, ...] = ()
    operators: frozenset[str] = frozenset()
    editors: frozenset[str] = frozenset()
    viewers: frozenset[str] = frozenset()
    setting_prefixes: Mapping[str, str] = field(default_factory=dict)
    session_lifetime: int = 12 * 3600
    session_idle_timeout: int = 1800
    identity_provider: IdentityProvider | None = None
    client_codes: bool = False
    strict_declarations: bool | None = None

    def __post_init__(self) -> None:
        if self.auth not in get_args(Auth):
            raise ValueError(f"auth must be 'none' or 'tokens', not {self.auth!r}")
        if min(self.session_lifetime, self.session_idle_timeout) <= 0:
            raise ValueError("session_lifetime and session_idle_timeout must be at least 1 s")
        self._check_people()
        if self.trust_user_header is None:
            return
        if _HEADER_NAME.fullmatch(self.trust_user_header) is None:
            raise ValueError(f"{self.trust_user_header!r} is not a valid header name")
        if not self.trusted_proxies:
            raise ValueError("trust_user_header requires trusted_proxies; otherwise any client could send the header")

    def granted_to(self, person: str | None) -> Access | None:
        """Return what a person whom a trusted proxy names may do without logging in, or None if nothing."""
        if person is None:
            return None
        names = {person, _EVERY_PERSON}
        if not names.isdisjoint(self.operators):
            return FULL_ACCESS
        for people, scopes in ((self.editors, _EDITOR_SCOPES), (self.viewers, _VIEWER_SCOPES)):
            if not names.isdisjoint(people):
                prefixes = self.setting_prefixes
                return Access(scopes, prefixes.get(person, prefixes.get(_EVERY_PERSON, "")))
        return None

    def _check_people(self) -> None:
        for role, people in (("operators", self.operators), ("editors", self.editors), ("viewers", self.viewers)):
            if people and self.trust_user_header is None:
                raise ValueError(f"{role} require trust_user_header, the header that names them")
        for person, prefix in self.setting_prefixes.items():
            if person in self.operators:
                raise ValueError(f"the operator {person!r} has a setting prefix; operators may access all settings")
            if person not in self.editors | self.viewers:
                raise ValueError(f"{person!r} has a setting prefix, and is neither an editor nor a viewer")
            if SETTING_NAME.fullmatch(prefix) is None:
                raise ValueError(f"the name of a setting cannot begin with {prefix!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceOptions:
    """How a service works.

    Attributes:
        context_features: The expected context features, in order; empty accepts those in the database.
        keep_history: How long the history keeps changes; None keeps them forever.
        audit_retention: How long the audit record is kept; None keeps it forever.
        access: Who may use the service.
        limits: The limits of the service.
        cache_max_age: How long HTTP caches may respond to queries without a request to the service, in seconds.
        access_log: Whether to log each request to ``heksherlite.access``.
        opentelemetry: Whether to set up OpenTelemetry as the environment variables ``OTEL_*`` describe. A setup by the
            program is used in any case.
        name: The name by which the service describes itself to applications.
        public_url: The URL of the service for its clients, such as ``https://settings.example.com``; None takes it
            from their requests and from trusted proxies.
        root_path: The path that a reverse proxy removes from the URLs of requests, such as ``/heksher``; empty for
            none.
        keep_alive: How long an idle connection is kept open, in seconds. It should be longer than that of a load
            balancer, which would otherwise send requests on connections that are being closed.
        drain: How long a stopping service continues to respond while ``/api/ready`` returns 503, in seconds.
        title: What the console calls the service, such as ``Shop, production``; empty for nothing in particular.
        color: The color in which the console marks the service: a color of CSS by name, such as ``crimson``, or in
            hexadecimal digits, such as ``#b3261e``; empty for none.
        cors_origins: The origins whose pages may evaluate flags, such as ``https://shop.example.com``; ``*`` is every
            origin.
        targeting_key_feature: The context feature that the targeting key of OFREP is the value of; None for none.

    Raises:
        ValueError: The public URL, the root path, a duration, the color, an origin or the context feature is invalid.
    """

    context_features: tuple[str, ...] = ()
    keep_history: timedelta | None = None
    audit_retention: timedelta | None = timedelta(days=365)
    access: AccessOptions = AccessOptions()
    limits: Limits = Limits()  # noqa: RUF009 - immutable
    cache_max_age: int = 0
    access_log: bool = False
    opentelemetry: bool = False
    name: str = "heksherlite"
    public_url: str | None = None
    root_path: str = ""
    keep_alive: int = 75
    drain: float = 0.0
    title: str = ""
    color: str = ""
    cors_origins: tuple[str, ...] = ()
    targeting_key_feature: str | None = None

    def __post_init__(self) -> None:
        if not self.name or not self.name.isprintable():
            raise ValueError("the name of the service must be a printable text that is not empty")
        if self.public_url is not None and _PUBLIC_URL.fullmatch(self.public_url) is None:
            raise ValueError(
                f"the public URL {self.public_url!r} is invalid; expected a URL such as https://settings.example.com"
            )
        if _ROOT_PATH.fullmatch(self.root_path) is None:
            raise ValueError(f"the root path {self.root_path!r} is invalid; expected a path such as /heksher")
        for origin in self.cors_origins:
            if _ORIGIN.fullmatch(origin) is None:
                raise ValueError(
                    f"{origin[:200]!r} is not an origin; expected one such as https://shop.example.com, without a path"
                )
        feature = self.targeting_key_feature
        if feature is not None and CONTEXT_FEATURE_NAME.fullmatch(feature) is None:
            raise ValueError(f"{feature[:100]!r} is not the name of a context feature")
        if self.keep_alive < 1:
            raise ValueError(f"keep_alive must be at least 1 s, not {self.keep_alive}")
        if self.drain < 0:
            raise ValueError(f"drain must not be negative, not {self.drain}")
        if self.color and not is_color(self.color):
            raise ValueError(
                f"the color {self.color[:50]!r} is not one of CSS; expected a name such as crimson, or digits such as"
                " #b3261e"
            )
