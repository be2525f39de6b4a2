"""Tokens and applications of a database as a service shows them."""

from datetime import UTC, datetime

from heksherlite.admin import ApplicationDetails, Approval, TokenDetails
from heksherlite.service.domain.applications import Application
from heksherlite.service.domain.tokens import Scope, Token


def token_details(known: Token) -> TokenDetails:
    """Return a token without its secret."""
    return TokenDetails(
        name=known.name,
        public_prefix=known.public_prefix,
        scopes=tuple([scope.value for scope in Scope if scope in known.scopes]),
        setting_prefix=known.setting_prefix,
        created_at=datetime.fromtimestamp(known.created_at, UTC),
        expires_at=_time(known.expires_at),
        owner=known.owner,
        last_used_at=_time(known.last_used_at),
    )


def application_details(known: Application) -> ApplicationDetails:
    """Return an application without its credentials."""
    granted = known.approval
    return ApplicationDetails(
        id=known.id,
        identifier=known.identifier,
        version=known.manifest.version,
        requested_scopes=tuple(known.manifest.scopes),
        image=known.manifest.image,
        status=known.status.value,
        approval=Approval(
            scopes=tuple([scope.value for scope in Scope if scope in granted.scopes]),
            setting_prefix=granted.setting_prefix,
            defaults=granted.defaults,
            track=granted.track,
            groups=granted.groups,
        ),
        created_at=datetime.fromtimestamp(known.created_at, UTC),
        expires_at=_time(known.expires_at),
        rotated_at=_time(known.rotated_at),
        previous_expires_at=None if known.previous is None else _time(known.previous.expires_at),
        redirect_uri=known.redirect_uri,
        last_used_at=_time(known.last_used_at),
    )


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
