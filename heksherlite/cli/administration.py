"""What ``heksherlite token``, ``app`` and ``group`` do to the database of a service, running or not."""

import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import click

from heksherlite.cli.database import cause, in_access_store, in_store
from heksherlite.service.domain import settings
from heksherlite.service.domain.applications import Application, Approval, invited, registered
from heksherlite.service.domain.credentials import Credentials
from heksherlite.service.domain.declarers import Declarer, DeclarerKind, declarer_name
from heksherlite.service.domain.device_codes import DeviceCode
from heksherlite.service.domain.groups import Group
from heksherlite.service.domain.tokens import Scope, Token, new_token
from heksherlite.service.errors import NotFoundError
from heksherlite.service.storage.access import AccessStore
from heksherlite.service.storage.applications import Applications
from heksherlite.service.storage.device_codes import DeviceCodes
from heksherlite.service.storage.groups import Groups
from heksherlite.service.storage.store import Store
from heksherlite.service.storage.tokens import add_token, list_tokens, remove_token, rotate_signing_key

T = TypeVar("T")


class Administration:
    """The tokens, applications, groups and secrets of a database.

    Each method raises `click.ClickException` if the database cannot be used, or if the arguments are refused. Times are
    in seconds since the epoch.

    Args:
        location: The URL of the database; None for the default one.
        reason: Why something is changed, for the history.
    """

    def __init__(self, location: str | None, reason: str | None = None) -> None:
        self._location = location
        self._cause = cause(reason)

    def list_tokens(self) -> Sequence[Token]:
        """Return the tokens, the oldest first."""
        return self._run(list_tokens)

    def create_token(
        self,
        name: str,
        scopes: Iterable[Scope],
        *,
        setting_prefix: str,
        expires_at: int | None,
        owner: str | None,
    ) -> str:
        """Store a token, also in a database that does not exist yet, and return it with its secret."""
        with _refusals():
            text, token = new_token(
                name,
                scopes,
                now=time.time(),
                setting_prefix=setting_prefix,
                expires_at=expires_at,
                owner=owner,
            )
        self._run(partial(add_token, token=token, cause=self._cause), may_be_new=True)
        return text

    def revoke_token(self, name: str) -> bool:
        """Delete the token with a name or public prefix, and return whether it existed."""
        return self._run(partial(remove_token, name=name, cause=self._cause))

    def rotate_signing_key(self, *, at_once: bool) -> None:
        """Sign with a new key.

        Args:
            at_once: Whether to refuse what the previous key signed at once.
        """
        self._run(lambda access: rotate_signing_key(access, self._cause, at_once=at_once, now=time.time()))

    def list_applications(self) -> Sequence[Application]:
        """Return the applications, the oldest first."""
        return self._run(lambda access: Applications(access).with_last_use())

    def invite(self, identifier: str, approval: Approval, *, expires_at: int | None) -> str:
        """Store an invitation, and return its one-time token."""
        with _refusals():
            one_time_token, application = invited(identifier, approval, now=time.time(), expires_at=expires_at)
        self._run(lambda access: Applications(access).add(application, self._cause))
        return one_time_token

    def register(self, identifier: str, approval: Approval, *, redirect_uri: str | None) -> str:
        """Store a public application, and return its ID."""
        with _refusals():
            application = registered(identifier, approval, now=time.time(), redirect_uri=redirect_uri)
        self._run(lambda access: Applications(access).add(application, self._cause))
        return application.id

    def open_code(self, code: str) -> DeviceCode:
        """Return the pending device code, and note that a person has seen it."""
        opened = self._run(lambda access: DeviceCodes(access).open(code, None, None, time.time()))
        if opened is None:
            raise click.ClickException(
                "no application waits with this code; a code that an application chose itself is approved on its page"
            )
        return opened

    def approve(self, code: str, approval: Approval) -> str:
        """Approve the application that shows a device code, and return its ID."""
        return self._run(lambda access: DeviceCodes(access).approve(code, approval, self._cause, time.time())).id

    def deny(self, code: str) -> None:
        """Deny the application that shows a device code."""
        self._run(lambda access: DeviceCodes(access).deny(code, self._cause, time.time()))

    def revoke_applications(self, ids: Sequence[str]) -> Sequence[Application]:
        """Delete the applications with these IDs, all or none, and return them."""
        return self._run(lambda access: Applications(access).revoke(ids, self._cause))

    def expire_applications(self, ids: Sequence[str], expires_at: int | None) -> Sequence[Application]:
        """Decide when the credentials of the applications with these IDs expire, of all or none, and return them."""
        return self._run(lambda access: Applications(access).set_expiry(ids, expires_at, self._cause))

    def rotate_credentials(
        self, application_id: str, *, previous_until: int, expires_at: int | None
    ) -> Mapping[str, str]:
        """Replace the credentials of an application, and return the new ones by name."""

        def rotate(access: AccessStore) -> Awaitable[Credentials]:
            return Applications(access).rotate(
                application_id, self._cause, now=time.time(), previous_until=previous_until, expires_at=expires_at
            )

        return self._run(rotate).shown()

    def attach(self, group: str, ids: Sequence[str]) -> None:
        """Attach a group to the applications with these IDs, to all or none."""
        self._change_groups(ids, lambda groups: dict.fromkeys((*groups, group)))

    def detach(self, group: str, ids: Sequence[str]) -> None:
        """Detach a group from the applications with these IDs, from all or none."""
        self._change_groups(ids, lambda groups: [each for each in groups if each != group])

    def list_groups(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the groups by name, with references in the place of secrets."""
        return {each.name: each.values for each in self._run(lambda access: Groups(access).all())}

    def put_group(self, name: str, values: Mapping[str, Any]) -> None:
        """Store a group in place of the one with the same name."""
        with _refusals():
            group = Group(name, values)
        self._run(lambda access: Groups(access).put(group, self._cause))

    def remove_group(self, name: str) -> None:
        """Delete a group that is not attached."""
        self._run(lambda access: Groups(access).remove(name, self._cause))

    def list_secrets(self) -> Sequence[str]:
        """Return the names of the secrets."""
        return self._run(lambda access: Groups(access).secret_names())

    def put_secret(self, name: str, value: str) -> None:
        """Store a secret in place of the one with the same name."""
        self._run(lambda access: Groups(access).put_secret(name, value, self._cause))

    def remove_secret(self, name: str) -> None:
        """Delete a secret to which no group refers."""
        self._run(lambda access: Groups(access).remove_secret(name, self._cause))

    def declarers(self, setting: str) -> Sequence[tuple[str, str, str | None]]:
        """Return the declarers of a setting: kind, ID and name of each."""

        async def read(store: Store) -> Sequence[tuple[str, str, str | None]]:
            found = sorted(store.catalog.entry(setting).setting.declarers)
            return [(each.kind, each.id, declarer_name(each, store.tokens.values())) for each in found]

        return in_store(self._location, read)

    def add_declarer(self, setting: str, kind: DeclarerKind, declarer_id: str) -> None:
        """Add a declarer to a setting."""
        declarer = Declarer(kind, declarer_id)

        async def add(store: Store) -> None:
            if declarer_name(declarer, store.tokens.values()) is None:
                raise NotFoundError(f"there is no {kind} with the ID {declarer_id!r}")
            await store.write(partial(settings.add_declarer, name=setting, declarer=declarer), self._cause)

        in_store(self._location, add)

    def remove_declarer(self, setting: str, kind: DeclarerKind, declarer_id: str) -> None:
        """Remove a declarer from a setting."""
        decide = partial(settings.remove_declarer, name=setting, declarer=Declarer(kind, declarer_id))
        in_store(self._location, lambda store: store.write(decide, self._cause))

    def _change_groups(self, ids: Sequence[str], edit: Callable[[Sequence[str]], Iterable[str]]) -> None:
        def with_groups(approval: Approval) -> Approval:
            return replace(approval, groups=tuple(edit(approval.groups)))

        self._run(lambda access: Applications(access).change_approval(ids, with_groups, self._cause))

    def _run(self, work: Callable[[AccessStore], Awaitable[T]], *, may_be_new: bool = False) -> T:
        with _refusals():
            return in_access_store(self._location, work, may_be_new=may_be_new)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise click.ClickException(str(error)) from error
