"""Applications that get their configuration from the service, and what was approved for each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from heksherlite.names import CONTEXT_FEATURE_VALUE, SETTING_NAME
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
"""``*`` for all values of a context feature, or some of them."""


class Status(StrEnum):
    """How far an application has come."""

    INVITED = "invited"
    """Whoever has the one-time token may become it."""
    APPROVED = "approved"
    """A person approved it, and it has not come for its token yet."""
    ACTIVE = "active"
    """It has its token."""
    PUBLIC = "public"
    """Whoever gives its identifier gets its token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """What an application is allowed, and what its configuration says.

    Attributes:
        scopes: What its tokens allow.
        setting_prefix: How the names of the settings begin that its tokens are limited to; empty for no limit.
        defaults: What stands in for context features that a caller leaves out.
        track: The values to ask rules for by context feature. Of others, the default is tracked, or everything.
        groups: The configuration groups that are attached to it.
    """

    scopes: frozenset[Scope] = frozenset()
    setting_prefix: str = ""
    defaults: Mapping[str, str] = field(default_factory=dict)
    track: Mapping[str, Tracked] = field(default_factory=dict)
    groups: tuple[str, ...] = ()

    def check(
        self, *, context_features: Iterable[str], groups: Iterable[str], asked: Iterable[str] | None = None
    ) -> None:
        """Check that it makes sense.

        Args:
            context_features: Those that there are.
            groups: The configuration groups that there are.
            asked: The scopes that the application asks for; None if nobody asked.

        Raises:
            BadRequestError: It does not.
        """
        if asked is not None and (more := sorted(self.scopes.difference(asked))):
            raise BadRequestError(f"the application did not ask for {', '.join(more)}")
        if self.setting_prefix and SETTING_NAME.fullmatch(self.setting_prefix) is None:
            raise BadRequestError(f"no name of a setting begins with {self.setting_prefix[:100]!r}")
        if unknown := sorted({*self.defaults, *self.track}.difference(context_features)):
            raise BadRequestError(f"there is no context feature {unknown[0][:100]!r}")
        if missing := sorted(set(self.groups).difference(groups)):
            raise BadRequestError(f"there is no configuration group {missing[0][:100]!r}")
        values = [value for tracked in self.track.values() if tracked != "*" for value in tracked]
        for value in [*self.defaults.values(), *values]:
            if CONTEXT_FEATURE_VALUE.fullmatch(value) is None:
                raise BadRequestError(f"{value[:100]!r} is not a value of a context feature")


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An application that was let in, or may come in.

    Attributes:
        id: Which it is; its ``client_id`` and part of its tokens.
        manifest: How it introduced itself. Of one that has not come yet, only the identifier is known.
        status: How far it has come.
        approval: What it gets.
        created_at: When it was approved, invited or registered, in seconds since the epoch.
        expires_at: Until when one that was approved or invited may come for its token, in seconds since the epoch; None
            for ever.
        redirect_uri: Where a public application was registered to be reached.
        invite_digest: The SHA-256 of the one-time token of an invited one.
        public_token: The claim token of a public one. It is no secret: whoever asks gets it.
        digests: Those of its credentials, if it has them.
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

    @property
    def identifier(self) -> str:
        """What people call it; several may be called so."""
        return self.manifest.identifier

    def expired(self, now: float) -> bool:
        """Tell whether it is too late for it to come for its token."""
        return self.expires_at is not None and now >= self.expires_at

    def has_claim_token(self, secret: str) -> bool:
        """Tell whether a secret is its claim token."""
        return self.digests is not None and matches(secret, self.digests.claim_token)

    def has_client_secret(self, secret: str) -> bool:
        """Tell whether a secret is its own as an OAuth2 client."""
        return self.digests is not None and matches(secret, self.digests.client_secret)

    def described(self) -> dict[str, Any]:
        """Return all about it as JSON, but for what proves it."""
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
            "redirect_uri": self.redirect_uri,
        }

    def token(self) -> Token | None:
        """Return its token for the API, as tokens are kept, or None if it has not got it yet."""
        if self.digests is None:
            return None
        return Token(
            name=self.identifier,
            public_prefix=f"hkl_{self.id}",
            digest=self.digests.settings_token,
            scopes=self.approval.scopes,
            setting_prefix=self.approval.setting_prefix,
            created_at=self.created_at,
            expires_at=None,
        )


def invited(
    identifier: str, approval: Approval, *, now: float, expires_at: int | None = None
) -> tuple[str, Application]:
    """Return the one-time token of a new invitation, and what is to be kept of it.

    Raises:
        ValueError: The identifier cannot be one, or the invitation would be expired from the start.
    """
    if expires_at is not None and expires_at <= now:
        raise ValueError("the invitation would be expired from the start")
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
        ValueError: The identifier cannot be one.
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
    """Return what the history tells of an application that changes."""
    known = after or before
    name = None if known is None else known.identifier
    return Change(None, None, None, before and before.described(), after and after.described(), "application", name)


def denial(manifest: Manifest) -> Change:
    """Return what the history tells of an application that was denied."""
    return Change(None, None, None, None, {**manifest.parts(), "status": "denied"}, "application", manifest.identifier)
