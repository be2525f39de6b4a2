"""Everything that decides who may use the service, as a value.

An `AccessState` never changes. A write is decided against one (`AccessDecision`), its `AccessChanges` are stored, and
the same `AccessChanges` applied to the state make the next one. Times are in seconds since the epoch and are handed in,
and so are random secrets.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, TypeAlias, TypeVar

from heksherlite.service.domain.applications import Application
from heksherlite.service.domain.device_codes import DeviceCode
from heksherlite.service.domain.groups import Group
from heksherlite.service.domain.history import Change
from heksherlite.service.domain.sessions import Session
from heksherlite.service.domain.signing_keys import SigningKeys
from heksherlite.service.domain.tokens import Token, Tokens

T_co = TypeVar("T_co", covariant=True)
K = TypeVar("K")
V = TypeVar("V")

Applications: TypeAlias = Mapping[str, Application]
"""Applications by their id, the oldest first."""


@dataclass(frozen=True, slots=True)
class AccessState:
    """Who may use the service, at one moment.

    There may be many device codes and sessions, so a state that was read from a database has only those that the
    decision needs.

    Attributes:
        context_features: The names of the context features, in order.
        tokens: The tokens by their public prefix. Those of applications are not among them.
        applications: The applications by id, the oldest first.
        groups: The configuration groups by name.
        secrets: The secrets that groups refer to, by name.
        device_codes: Device codes by digest.
        device_code_count: The number of all device codes that are not due to be deleted.
        sessions: The sessions of people, by digest.
        signing_keys: The signing keys.
        revoked_access_tokens: When each revoked access token expires anyway, by the digest of the access token.
    """

    context_features: tuple[str, ...] = ()
    tokens: Tokens = field(default_factory=dict)
    applications: Applications = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    device_codes: Mapping[bytes, DeviceCode] = field(default_factory=dict, repr=False)
    device_code_count: int = 0
    sessions: Mapping[bytes, Session] = field(default_factory=dict, repr=False)
    revoked_access_tokens: Mapping[bytes, int] = field(default_factory=dict, repr=False)
    signing_keys: SigningKeys = SigningKeys()  # noqa: RUF009 - immutable

    def all_tokens(self) -> Tokens:
        """Return the tokens for the API by their public prefix, those of applications included."""
        of_applications = [application.token() for application in self.applications.values()]
        return {**{token.public_prefix: token for token in of_applications if token is not None}, **self.tokens}

    def after(self, changes: "AccessChanges") -> "AccessState":
        """Return the state that follows from this one by some changes."""
        added = sum(code.digest not in self.device_codes for code in changes.device_codes)
        codes = _merged(self.device_codes, {code.digest: code for code in changes.device_codes})
        applications = _merged(self.applications, {each.id: each for each in changes.applications})
        tokens = _merged(self.tokens, {token.public_prefix: token for token in changes.tokens}, changes.removed_tokens)
        sessions = _merged(self.sessions, {each.digest: each for each in changes.sessions}, changes.removed_sessions)
        for digest, code in codes.items():
            if code.application_id in changes.removed_applications:
                codes[digest] = replace(code, application_id=None)
        return replace(
            self,
            tokens=tokens,
            applications={key: each for key, each in applications.items() if key not in changes.removed_applications},
            groups=_merged(self.groups, {group.name: group for group in changes.groups}, changes.removed_groups),
            secrets=_merged(self.secrets, dict(changes.secrets), changes.removed_secrets),
            device_codes={key: code for key, code in codes.items() if code.expires_at >= changes.codes_expired_before},
            device_code_count=self.device_code_count + added,
            signing_keys=changes.signing_keys or self.signing_keys,
            revoked_access_tokens={
                digest: expires_at
                for digest, expires_at in {**self.revoked_access_tokens, **dict(changes.revoked_access_tokens)}.items()
                if expires_at > changes.revocations_expired_before
            },
            sessions={
                key: each
                for key, each in sessions.items()
                if (each.public_prefix is None or each.public_prefix in tokens)
                and each.expires_at > changes.sessions_expired_before
            },
        )


@dataclass(frozen=True, slots=True)
class AccessChanges:
    """What a write stores and removes.

    What is stored takes the place of what has the same key. The sessions of a removed token go with it, and a device
    code that an application was approved by forgets it when it is removed.

    Attributes:
        codes_expired_before: Device codes that expired before this time are deleted.
        signing_keys: The signing keys after a rotation.
        revoked_access_tokens: The digests of revoked access tokens, and when each expires anyway.
        revocations_expired_before: Revocations of access tokens that expired at this time or before are deleted.
        sessions_expired_before: Sessions that expired at this time or before are deleted.
        history: What the history records of it.
    """

    tokens: tuple[Token, ...] = ()
    removed_tokens: frozenset[str] = frozenset()
    applications: tuple[Application, ...] = ()
    removed_applications: frozenset[str] = frozenset()
    groups: tuple[Group, ...] = ()
    removed_groups: frozenset[str] = frozenset()
    secrets: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    removed_secrets: frozenset[str] = frozenset()
    device_codes: tuple[DeviceCode, ...] = ()
    sessions: tuple[Session, ...] = ()
    removed_sessions: frozenset[bytes] = frozenset()
    revoked_access_tokens: tuple[tuple[bytes, int], ...] = ()
    signing_keys: SigningKeys | None = None
    revocations_expired_before: int = 0
    codes_expired_before: int = 0
    sessions_expired_before: int = 0
    history: tuple[Change, ...] = ()

    def __bool__(self) -> bool:
        return self != AccessChanges()

    @property
    def is_new_revision(self) -> bool:
        """Whether the other services on the database have to reload; they look up codes and sessions when needed."""
        return self != AccessChanges(
            device_codes=self.device_codes,
            sessions=self.sessions,
            removed_sessions=self.removed_sessions,
            codes_expired_before=self.codes_expired_before,
            sessions_expired_before=self.sessions_expired_before,
        )


@dataclass(frozen=True, slots=True)
class AccessDecision(Generic[T_co]):
    """The outcome of a request to write: the result for the caller, and what to change."""

    result: T_co
    changes: AccessChanges = field(default_factory=AccessChanges)


def _merged(known: Mapping[K, V], stored: Mapping[K, V], removed: Iterable[K] = ()) -> dict[K, V]:
    merged = {**known, **stored}
    for key in removed:
        merged.pop(key, None)
    return merged
