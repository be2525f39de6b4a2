"""Who may use a service, as values: tokens, applications, and what applications get."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

ScopeName: TypeAlias = Literal["read", "declare", "propose", "write", "audit", "admin", "evaluate"]
ApplicationStatus: TypeAlias = Literal["invited", "approved", "active", "public"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenDetails:
    """A token, without its secret.

    Attributes:
        name: The name of the token.
        public_prefix: The beginning of the token, which is not secret.
        scopes: What it allows.
        setting_prefix: It is limited to settings whose names begin with this. Empty: no limit.
        created_at: When it was created.
        expires_at: When it expires, or None for never.
        owner: The person that it belongs to, or None.
        last_used_at: When it was last used, within about an hour, or None.
    """

    name: str
    public_prefix: str
    scopes: tuple[ScopeName, ...]
    setting_prefix: str
    created_at: datetime
    expires_at: datetime | None
    owner: str | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """What an application may do, and what its configuration contains.

    Attributes:
        scopes: The scopes of its tokens.
        setting_prefix: Its tokens are limited to settings whose names begin with this. Empty: no limit.
        defaults: The values of context features that its programs leave out.
        track: The tracked values of each context feature, or ``*`` for all.
        groups: The configuration groups that it gets.
    """

    scopes: Sequence[ScopeName] = ()
    setting_prefix: str = ""
    defaults: Mapping[str, str] = field(default_factory=dict)
    track: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    groups: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationDetails:
    """An application, without its credentials.

    Attributes:
        id: The id of the application, which is its ``client_id`` too.
        identifier: What it calls itself. Several applications can have the same identifier.
        version: The version that it told, or empty.
        requested_scopes: The scopes that it requested.
        image: The URL of an image that it told, or None.
        status: ``invited``, ``approved``, ``active`` or ``public``.
        approval: What it was granted.
        created_at: When it was approved, invited or registered.
        expires_at: When its one-time token or its credentials expire, or None for never.
        rotated_at: When its credentials were last replaced, or None.
        previous_expires_at: Until when the credentials before them work, or None if there were none.
        redirect_uri: The redirect URI of a public application, or None.
        last_used_at: When its credentials were last used, within about an hour, or None.
    """

    id: str
    identifier: str
    version: str
    requested_scopes: tuple[str, ...]
    image: str | None
    status: ApplicationStatus
    approval: Approval
    created_at: datetime
    expires_at: datetime | None
    rotated_at: datetime | None
    previous_expires_at: datetime | None
    redirect_uri: str | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """An application that was invited.

    Attributes:
        id: The id of the application.
        one_time_token: What its program exchanges for its credentials, once.
    """

    id: str
    one_time_token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingApplication:
    """An application that shows a device code and waits for a decision. Nothing that it says is verified.

    Attributes:
        identifier: What it calls itself.
        version: The version that it told.
        requested_scopes: The scopes that it requests.
        address: The address that it asked from, or None if that is unknown.
    """

    identifier: str
    version: str
    requested_scopes: tuple[str, ...]
    address: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationCredentials:
    """The credentials of an application.

    Attributes:
        claim_token: The token with which it claims its configuration. The others follow from it.
        api_token: The token for the API.
        client_id: The OAuth2 client id, which is the id of the application.
        client_secret: The OAuth2 client secret.
    """

    claim_token: str = field(repr=False)
    api_token: str = field(repr=False)
    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclarerDetails:
    """Who may upgrade a setting by declaring it.

    Attributes:
        kind: ``application`` or ``token``.
        id: The id of the application, or the public prefix of the token.
        name: The identifier of the application or the name of the token, or None if it was revoked.
    """

    kind: Literal["application", "token"]
    id: str
    name: str | None
