"""Applications that get their configuration from the service, and the approval of each one."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, TypeAlias

from heksherlite.names import SETTING_NAME, is_context_feature_value
from heksherlite.service.domain.credentials import (
    Digests,
    matches,
    new_application_id,
    new_credentials,
    new_one_time_token,
    secret_digest,
)
from heksherlite.service.domain.history import Change
from heksherlite.service.domain.manifests import Manifest
from heksherlite.service.domain.tokens import Scope, Token
from heksherlite.service.errors import BadRequestError

Tracked: TypeAlias = str | Sequence[str]
"""``*`` for all values of a context feature, or a list of values."""


class Status(StrEnum):
    """The status of an application."""

    INVITED = "invited"
    """It can claim its token with a one-time token."""
    APPROVED = "approved"
    """A person approved it, and it has not claimed its token yet."""
    ACTIVE = "active"
    """It has its token."""
    PUBLIC = "public"
    """Every program that sends its identifier gets its token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """What an application may do, and what its configuration contains.

    Attributes:
        scopes: The scopes of its tokens.
        setting_prefix: Its tokens are limited to settings whose names begin with this. Empty for no limit.
        defaults: The value of each context feature that a caller of ``get`` leaves out.
        track: The tracked values of each context feature. For other features, the default is tracked, or all values.
        groups: The attached configuration groups.
    """

    scopes: frozenset[Scope] = frozenset()
    setting_prefix: str = ""
    defaults: Mapping[str, str] = field(default_factory=dict)
    track: Mapping[str, Tracked] = field(default_factory=dict)
    groups: tuple[str, ...] = ()

    def check(
        self, *, context_features: Iterable[str], groups: Iterable[str], asked: Iterable[str] | None = None
    ) -> None:
        """Check the approval.

        Args:
            context_features: The existing context features.
            groups: The existing configuration groups.
            asked: The scopes that the application requested; None if it requested nothing.

        Raises:
            BadRequestError: The approval refers to something that does not exist, grants more than was requested, or
                has a malformed value.
        """
        if asked is not None and (more := sorted(self.scopes.difference(asked))):
            raise BadRequestError(f"the application did not request {', '.join(more)}")
        if self.setting_prefix and SETTING_NAME.fullmatch(self.setting_prefix) is None:
            raise BadRequestError(f"no name of a setting begins with {self.setting_prefix[:100]!r}")
        if unknown := sorted({*self.defaults, *self.track}.difference(context_features)):
            raise BadRequestError(f"there is no context feature {unknown[0][:100]!r}")
        if missing := sorted(set(self.groups).difference(groups)):
            raise BadRequestError(f"there is no configuration group {missing[0][:100]!r}")
        values = [value for tracked in self.track.values() if tracked != "*" for value in tracked]
        for value in [*self.defaults.values(), *values]:
            if not is_context_feature_value(value):
                raise BadRequestError(f"{value[:100]!r} is not a value of a context feature")


@dataclass(frozen=True, slots=True)
class PreviousCredentials:
    """Credentials of an application that were replaced.

    Attributes:
        digests: Their digests.
        expires_at: Until when they work, in seconds since the epoch.
    """

    digests: Digests = field(repr=False)
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An application that was approved, invited or registered.

    Attributes:
        id: The id of the application, which is its ``client_id`` and part of its tokens.
        manifest: Its manifest. Until an invited application claims its token, only the identifier is known.
        status: Its status.
        approval: Its approval.
        created_at: When it was approved, invited or registered, in seconds since the epoch.
        expires_at: Until when an approved or invited application can claim its token, or until when the credentials of
            an active or public one work, in seconds since the epoch; None for no limit.
        redirect_uri: The registered redirect URI of a public application.
        invite_digest: The SHA-256 of the one-time token of an invited application.
        public_token: The claim token of a public application. It is not secret: everyone gets it.
        digests: The digests of its credentials, if it has them.
        previous: The credentials that were rotated last; None if they never were.
        rotated_at: When its credentials were last rotated, in seconds since the epoch; None if they never were.
        last_used_at: When its credentials were last used, within about an hour, in seconds since the epoch; None if
            they were not used, or if that was not looked up.
    """

    id: str
    manifest: Manifest
    status: Status
    approval: Approval
    created_at: int
    expires_at: int | None = None
    redirect_uri: str | None = None
    invite_digest: bytes | None = field(default=None, repr=False)
    public_token: str | None = field(default=None, repr=False)
    digests: Digests | None = field(default=None, repr=False)
    previous: PreviousCredentials | None = None
    rotated_at: int | None = None
    last_used_at: int | None = None

    @property
    def token_prefix(self) -> str:
        """The public prefix of its token for the API."""
        return f"hkl_{self.id}"

    @property
    def identifier(self) -> str:
        """The identifier in its manifest. Several applications can have the same one."""
        return self.manifest.identifier

    def expired(self, now: float) -> bool:
        """Return whether it has expired at a time, in seconds since the epoch."""
        return self.expires_at is not None and now >= self.expires_at

    def with_claim_token(self, secret: str, now: float) -> "Application | None":
        """Return the application with the credentials to which a claim token belongs, current or previous ones.

        Args:
            secret: What is sent as its claim token.
            now: The time, in seconds since the epoch.

        Returns:
            The application as if it had no other credentials. None if the secret is wrong or does not work any more.
        """
        return self._with_credentials(now, lambda digests: matches(secret, digests.claim_token))

    def with_client_secret(self, secret: str, now: float) -> "Application | None":
        """Return the application with the credentials to which a client secret belongs, as for a claim token."""
        return self._with_credentials(now, lambda digests: matches(secret, digests.client_secret))

    def _with_credentials(self, now: float, belongs: Callable[[Digests], bool]) -> "Application | None":
        for each in (self, self._before_rotation()):
            if each is not None and each.digests is not None and belongs(each.digests) and not each.expired(now):
                return each
        return None

    def _before_rotation(self) -> "Application | None":
        if self.previous is None:
            return None
        before = self.previous
        return replace(self, digests=before.digests, expires_at=before.expires_at, previous=None, rotated_at=None)

    def rotated(self, digests: Digests, *, now: float, previous_until: int, expires_at: int | None) -> "Application":
        """Return the application with new credentials.

        Args:
            digests: The digests of the new credentials.
            now: The time, in seconds since the epoch.
            previous_until: Until when the present credentials work, in seconds since the epoch. They do not work longer
                than they would have without this.
            expires_at: Until when the new ones work; None for no limit.

        Raises:
            ValueError: It has no credentials, or the new ones would have expired already.
        """
        if self.digests is None:
            raise ValueError(f"the application {self.id} has no credentials yet; nothing can be rotated")
        if expires_at is not None and expires_at <= now:
            raise ValueError("the new credentials would have expired already: choose a later time")
        until = previous_until if self.expires_at is None else min(previous_until, self.expires_at)
        return replace(
            self,
            digests=digests,
            expires_at=expires_at,
            previous=PreviousCredentials(self.digests, until),
            rotated_at=int(now),
        )

    def described(self) -> dict[str, Any]:
        """Return the application as JSON, without its credentials."""
        approval = self.approval
        return {
            "id": self.id,
            **self.manifest.parts(),
            "status": self.status.value,
            "granted_scopes": sorted(approval.scopes),
            "setting_prefix": approval.setting_prefix,
            "defaults": dict(approval.defaults),
            "track": {
                feature: tracked if isinstance(tracked, str) else list(tracked)
                for feature, tracked in approval.track.items()
            },
            "groups": list(approval.groups),
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "rotated_at": self.rotated_at,
            "previous_expires_at": self.previous and self.previous.expires_at,
            "redirect_uri": self.redirect_uri,
        }

    def token(self) -> Token | None:
        """Return its token for the API as it is stored, or None if it has not claimed it yet."""
        if self.digests is None:
            return None
        before = self._before_rotation()
        return Token(
            name=self.identifier,
            public_prefix=self.token_prefix,
            digest=self.digests.settings_token,
            scopes=self.approval.scopes,
            setting_prefix=self.approval.setting_prefix,
            created_at=self.rotated_at or self.created_at,
            expires_at=self.expires_at,
            application_id=self.id,
            previous=None if before is None else before.token(),
        )


def invited(
    identifier: str, approval: Approval, *, now: float, expires_at: int | None = None
) -> tuple[str, Application]:
    """Return the one-time token of a new invited application, and the application.

    Raises:
        ValueError: The identifier is malformed, or the invitation would have expired already.
    """
    if expires_at is not None and expires_at <= now:
        raise ValueError("the invitation would have expired already: choose a later time")
    application_id = new_application_id()
    one_time_token = new_one_time_token(application_id)
    application = Application(
        id=application_id,
        manifest=Manifest(identifier=identifier),
        status=Status.INVITED,
        approval=approval,
        created_at=int(now),
        expires_at=expires_at,
        invite_digest=secret_digest(one_time_token),
    )
    return one_time_token, application


def registered(identifier: str, approval: Approval, *, now: float, redirect_uri: str | None = None) -> Application:
    """Return a new public application.

    Raises:
        ValueError: The identifier is malformed.
    """
    credentials = new_credentials()
    return Application(
        id=credentials.application_id,
        manifest=Manifest(identifier=identifier),
        status=Status.PUBLIC,
        approval=approval,
        created_at=int(now),
        redirect_uri=redirect_uri,
        public_token=credentials.claim_token,
        digests=credentials.digests(),
    )


def change(before: Application | None, after: Application | None) -> Change:
    """Return the record of a change of an application, for the history."""
    known = after or before
    name = None if known is None else known.identifier
    return Change(None, None, None, before and before.described(), after and after.described(), "application", name)


def denial(manifest: Manifest) -> Change:
    """Return the record of the denial of an application, for the history."""
    return Change(None, None, None, None, {**manifest.parts(), "status": "denied"}, "application", manifest.identifier)
