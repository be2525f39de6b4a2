"""Applications for tests, approved in the database as the pages and the command line do it."""

import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from heksherlite.service.domain.applications import Application, Approval, invited, registered
from heksherlite.service.domain.authors import Author, Cause
from heksherlite.service.domain.manifests import Manifest
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.storage.access import AccessStore
from heksherlite.service.storage.applications import Applications
from heksherlite.service.storage.database import Database
from heksherlite.service.storage.device_codes import DeviceCodes
from tests.service.tokens import in_database

T = TypeVar("T")

SHOP = Manifest(identifier="shop.checkout", version="1.2", scopes=("read", "declare", "openid"))
READER = Approval(scopes=frozenset({Scope.READ, Scope.DECLARE}))
BY_JANE = Cause(Author("person", "jane", "10.0.0.7"), "for a test")


def in_access_store(path: Path, work: Callable[[AccessStore], Coroutine[Any, Any, T]]) -> T:
    async def work_in_access_store(database: Database) -> T:
        return await work(AccessStore(database))

    return in_database(path, work_in_access_store)


def approve(path: Path, code: str, approval: Approval = READER, *, manifest: Manifest | None = None) -> Application:
    """Open the page of a code, and approve everything that it requests."""

    async def work(access: AccessStore) -> Application:
        codes = DeviceCodes(access)
        await codes.open(code, manifest, "10.0.0.7", time.time())
        return await codes.approve(code, approval, BY_JANE, time.time())

    return in_access_store(path, work)


def deny(path: Path, code: str) -> None:
    async def work(access: AccessStore) -> None:
        codes = DeviceCodes(access)
        await codes.open(code, None, "10.0.0.7", time.time())
        await codes.deny(code, BY_JANE, time.time())

    in_access_store(path, work)


def invite(path: Path, approval: Approval = READER, *, identifier: str = SHOP.identifier) -> str:
    one_time_token, application = invitation(approval, identifier=identifier)
    _add(path, application)
    return one_time_token


def invitation(approval: Approval = READER, *, identifier: str = SHOP.identifier) -> tuple[str, Application]:
    return invited(identifier, approval, now=time.time())


def register(path: Path, approval: Approval = READER, *, redirect_uri: str | None = None) -> str:
    application = registered(SHOP.identifier, approval, now=time.time(), redirect_uri=redirect_uri)
    _add(path, application)
    return application.id


def revoke(path: Path) -> None:
    """Revoke all applications."""

    async def work(access: AccessStore) -> None:
        applications = Applications(access)
        await applications.revoke([each.id for each in await applications.all()], BY_JANE)

    in_access_store(path, work)


def _add(path: Path, application: Application) -> None:
    async def work(access: AccessStore) -> None:
        await Applications(access).add(application, BY_JANE)

    in_access_store(path, work)
