"""Applications, device codes and groups in the database, and how several services share them."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from heksherlite.service.domain import context_features
from heksherlite.service.domain.applications import Approval, Status
from heksherlite.service.domain.authors import BY_SERVICE
from heksherlite.service.domain.credentials import Credentials
from heksherlite.service.domain.device_codes import LIFETIME, CodeState
from heksherlite.service.domain.groups import Group
from heksherlite.service.domain.manifests import Manifest
from heksherlite.service.domain.reverting import revert
from heksherlite.service.domain.tokens import Scope, find_token
from heksherlite.service.errors import BadRequestError, ConflictError, NotFoundError
from heksherlite.service.storage.history_search import Search
from heksherlite.service.storage.store import Store
from tests.service.applications import BY_JANE, READER, SHOP, invitation
from tests.service.stores import following, opened, run_sql
from tests.waiting import until_async

NOW = 1_800_000_000


async def ids(store: Store) -> list[str]:
    return [application.id for application in await store.applications.all()]


async def approved(store: Store, approval: Approval = READER) -> str:
    code = await store.device_codes.start(SHOP, "10.0.0.1", NOW)
    await store.device_codes.open(code, None, "10.0.0.7", NOW)
    await store.device_codes.approve(code, approval, BY_JANE, NOW)
    return code


def test_an_application_that_is_approved_gets_a_token(database: str) -> None:
    """Every service on the database knows whether a code is waiting, opened or used, and accepts the token."""

    async def run() -> None:
        async with opened(database) as one, opened(database) as other, following(other):
            code = await one.device_codes.start(SHOP, "10.0.0.1", NOW)
            states = []
            for store in (other, one):
                known = await store.device_codes.find(code.lower()[:4] + "-" + code[4:])
                assert known is not None
                states.append(known.state(NOW))
                await other.device_codes.open(code, None, "10.0.0.7", NOW)
            assert states == [CodeState.WAITING, CodeState.OPENED]
            application = await other.device_codes.approve(code, READER, BY_JANE, NOW)
            assert one.tokens == other.tokens == {}
            claim_token = await one.device_codes.collect(code, BY_SERVICE, NOW)
            assert claim_token is not None
            known = await other.device_codes.find(code)
            assert known is not None
            assert (known.state(NOW), known.chosen_by, known.address) == (CodeState.USED, "service", "10.0.0.1")
            credentials = Credentials(application.id, claim_token)
            await until_async(lambda: bool(other.tokens))
            for store in (one, other):
                token = find_token(store.tokens, credentials.settings_token.encode())
                assert token is not None
                assert (token.name, token.scopes) == (SHOP.identifier, READER.scopes)
            active = await other.applications.get(application.id)
            assert active is not None
            assert active.with_claim_token(claim_token, NOW) == active
            assert active.with_client_secret(credentials.client_secret, NOW) == active
            assert active.with_claim_token(credentials.client_secret, NOW) is None
            for nonsense in ("", "\0", "ß", application.id + "\n", "x" * 10_000):
                assert await one.applications.get(nonsense) is None
            await other.applications.revoke([application.id], BY_JANE)
            assert other.tokens == {}
            await one.catch_up()
            assert one.tokens == {}

    asyncio.run(run())


def test_no_secret_of_an_application_is_in_the_database(database: str) -> None:
    """The database contains neither tokens of an application, nor codes, nor one-time tokens."""

    async def run() -> list[str]:
        async with opened(database) as store:
            code = await approved(store)
            claim_token = await store.device_codes.collect(code, BY_SERVICE, NOW)
            assert claim_token is not None
            one_time_token, invited = invitation()
            await store.applications.add(invited, BY_JANE)
            application = (await store.applications.all())[0]
            credentials = Credentials(application.id, claim_token)
            shown = repr([credentials, *await store.applications.all(), await store.device_codes.find(code)])
            secrets = [code, claim_token, credentials.settings_token, credentials.client_secret, one_time_token]
            assert not [secret for secret in secrets if secret in shown]
            return secrets

    secrets = asyncio.run(run())
    tables = ("applications", "device_codes", "history", "history_changes")
    stored = repr([run_sql(database, f"SELECT * FROM {table}") for table in tables])  # noqa: S608  # the names above
    assert SHOP.identifier in stored
    # Only tokens have a prefix. The last part of other secrets may be so short that it is found by chance.
    parts = [part for secret in secrets for part in (secret, secret.split("_", 2)[-1]) if len(part) > 20]
    assert not [part for part in parts if part in stored]


def test_one_of_many_gets_the_token(database: str) -> None:
    """If a code or a one-time token is used many times at once in two services, one token is issued."""

    async def run() -> None:
        async with opened(database) as one, opened(database) as other:
            code = await approved(one)
            taken = await asyncio.gather(
                *[store.device_codes.collect(code, BY_SERVICE, NOW) for store in (one, other) * 4]
            )
            assert len([token for token in taken if token is not None]) == 1
            one_time_token, invited = invitation()
            await one.applications.add(invited, BY_JANE)
            redeem = [
                store.applications.redeem(one_time_token, SHOP, BY_JANE, time.time()) for store in (one, other) * 4
            ]
            redeemed = await asyncio.gather(*redeem)
            assert len([token for token in redeemed if token is not None]) == 1
            assert len({token.public_prefix for token in one.tokens.values()}) == 2

    asyncio.run(run())


def test_one_decision_counts(database: str) -> None:
    """If two people decide at the same time, one of them gets a conflict. A decision cannot be changed later."""

    async def run() -> None:
        async with opened(database) as one, opened(database) as other:
            code = await one.device_codes.start(SHOP, None, NOW)
            with pytest.raises(ConflictError, match="open its page first"):
                await one.device_codes.approve(code, READER, BY_JANE, NOW)
            await one.device_codes.open(code, None, None, NOW)
            decisions = (
                one.device_codes.approve(code, READER, BY_JANE, NOW),
                other.device_codes.deny(code, BY_JANE, NOW),
                other.device_codes.approve(code, READER, BY_JANE, NOW),
            )
            outcomes = await asyncio.gather(*decisions, return_exceptions=True)
            assert sum(isinstance(outcome, ConflictError) for outcome in outcomes) == 2
            for decide in (one.device_codes.deny, partial(one.device_codes.approve, approval=READER)):
                with pytest.raises(ConflictError, match="already"):
                    await decide(code, cause=BY_JANE, now=NOW)
            with pytest.raises(NotFoundError):
                await one.device_codes.deny("BCDFGHJK", BY_JANE, NOW)

    asyncio.run(run())


def test_a_code_that_the_client_chose_is_recorded_once(database: str) -> None:
    """The code exists from the first opening of its page. A later manifest changes nothing."""

    async def run() -> None:
        async with opened(database) as store:
            assert await store.device_codes.find("a1b2c3") is None
            assert await store.device_codes.open("a1b2c3", None, "10.0.0.1", NOW) is None
            opened_code = await store.device_codes.open("a1b2c3", SHOP, "10.0.0.1", NOW)
            assert opened_code is not None
            assert (opened_code.chosen_by, opened_code.state(NOW)) == ("client", CodeState.OPENED)
            other = Manifest(identifier="other", version="1", scopes=("admin",))
            assert await store.device_codes.open("A1B2C3", other, "10.0.0.2", NOW + 1) == opened_code
            expired = await store.device_codes.open("a1b2c3", other, "10.0.0.2", NOW + LIFETIME)
            assert expired == opened_code
            assert expired is not None
            assert expired.state(NOW + LIFETIME) is CodeState.EXPIRED
            with pytest.raises(ConflictError, match="expired"):
                await store.device_codes.approve("a1b2c3", READER, BY_JANE, NOW + LIFETIME)

    asyncio.run(run())


def test_old_codes_are_forgotten(database: str) -> None:
    """The outcome of a code is kept for ten minutes after its end."""

    async def run() -> None:
        async with opened(database) as store:
            code = await store.device_codes.start(SHOP, None, NOW, lifetime=60)
            for later, known in ((660, True), (661, False)):
                await store.device_codes.start(SHOP, None, NOW + later)
                assert (await store.device_codes.find(code) is not None) is known

    asyncio.run(run())


@pytest.mark.parametrize(
    ("approval", "message"),
    [
        (Approval(scopes=frozenset({Scope.ADMIN})), "did not request admin"),
        (Approval(defaults={"planet": "earth"}), "no context feature 'planet'"),
        (Approval(track={"planet": "*"}), "no context feature 'planet'"),
        (Approval(defaults={"user": "a b"}), "'a b' is not a value"),
        (Approval(track={"user": ["ok", ""]}), "'' is not a value"),
        (Approval(groups=("db",)), "no configuration group 'db'"),
        (Approval(setting_prefix="a b"), "begins with 'a b'"),
    ],
)
def test_an_invalid_approval_is_refused(tmp_path: object, approval: Approval, message: str) -> None:
    """An invalid approval decides nothing, so that the person can correct it."""

    async def run() -> None:
        async with opened(f"sqlite:///{tmp_path}/a.db") as store:
            await store.write(partial(context_features.add, name="user"))
            code = await store.device_codes.start(SHOP, None, NOW)
            await store.device_codes.open(code, None, None, NOW)
            with pytest.raises(BadRequestError, match=message):
                await store.device_codes.approve(code, approval, BY_JANE, NOW)
            assert await store.applications.all() == []
            await store.device_codes.approve(code, READER, BY_JANE, NOW)

    asyncio.run(run())


def test_a_code_whose_application_is_revoked_is_denied(database: str) -> None:
    """If the application is revoked before it collects its token, it gets none."""

    async def run() -> None:
        async with opened(database) as store:
            code = await approved(store)
            await store.applications.revoke(await ids(store), BY_JANE)
            assert await store.device_codes.collect(code, BY_SERVICE, NOW) is None
            known = await store.device_codes.find(code)
            assert known is not None
            assert known.state(NOW) is CodeState.DENIED

    asyncio.run(run())


def test_invitations_are_for_one_application_and_end(database: str) -> None:
    """A one-time token is refused for another identifier, after its expiry, and after a revocation."""

    async def run() -> None:
        async with opened(database) as store:
            one_time_token, invited = invitation()
            await store.applications.add(replace(invited, expires_at=NOW), BY_JANE)
            redeem = store.applications.redeem
            assert await redeem(one_time_token, replace(SHOP, identifier="other"), BY_JANE, NOW - 1) is None
            assert await redeem(one_time_token, SHOP, BY_JANE, NOW) is None
            assert await redeem(one_time_token[:-1] + "_", SHOP, BY_JANE, NOW - 1) is None
            assert await redeem(one_time_token, SHOP, BY_JANE, NOW - 1) is not None
            application = (await store.applications.all())[0]
            assert (application.status, application.manifest, application.expires_at) == (Status.ACTIVE, SHOP, None)
            one_time_token, invited = invitation()
            await store.applications.add(invited, BY_JANE)
            await store.applications.revoke([invited.id], BY_JANE)
            assert await redeem(one_time_token, SHOP, BY_JANE, NOW) is None
            with pytest.raises(NotFoundError):
                await store.applications.revoke([invited.id], BY_JANE)

    asyncio.run(run())


def test_groups_and_their_secrets(database: str) -> None:
    """A group can only refer to existing secrets. Neither can be deleted while it is in use."""

    async def run() -> None:
        async with opened(database) as store:
            group = Group("db", {"host": "db.local", "users": [{"password": {"$secret": "db-password"}}]})
            with pytest.raises(BadRequestError, match="no secret 'db-password'"):
                await store.groups.put(group, BY_JANE)
            await store.groups.put_secret("db-password", "hunter2", BY_JANE)
            await store.groups.put(group, BY_JANE)
            await approved(store, replace(READER, groups=("db",)))
            assert await store.groups.with_secrets() == ({"db": group}, {"db-password": "hunter2"})
            with pytest.raises(BadRequestError, match="refers to the secret"):
                await store.groups.remove_secret("db-password", BY_JANE)
            with pytest.raises(BadRequestError, match="attached to shop"):
                await store.groups.remove("db", BY_JANE)
            await store.applications.change_approval(await ids(store), lambda _: READER, BY_JANE)
            await store.groups.remove("db", BY_JANE)
            await store.groups.remove_secret("db-password", BY_JANE)
            for remove in (store.groups.remove, store.groups.remove_secret):
                with pytest.raises(NotFoundError):
                    await remove("db", BY_JANE)

    asyncio.run(run())


@pytest.mark.parametrize("values", [{"$secret": 1}, {"a": [{"$secret": "x", "b": 1}]}, {"$secret": "a.b"}])
def test_malformed_references_are_refused(values: dict[str, object]) -> None:
    """A malformed reference is an error instead of a value."""
    with pytest.raises(ValueError, match="secret"):
        Group("db", values)


def test_every_change_is_in_the_history(database: str) -> None:
    """Approvals, denials, revocations, groups and secrets are recorded with their author. None can be reverted."""

    async def run() -> None:
        async with opened(database) as store:
            await store.groups.put_secret("password", "hunter2", BY_JANE)
            await store.groups.put(Group("db", {"password": {"$secret": "password"}}), BY_JANE)
            await store.groups.put(Group("db", {"password": {"$secret": "password"}}), BY_JANE)  # changes nothing
            code = await approved(store, replace(READER, groups=("db",)))
            await store.device_codes.collect(code, BY_SERVICE, NOW)
            await store.applications.change_approval(await ids(store), lambda _: READER, BY_JANE)
            denied = await store.device_codes.start(SHOP, None, NOW)
            await store.device_codes.open(denied, None, None, NOW)
            await store.device_codes.deny(denied, BY_JANE, NOW)
            await store.applications.revoke(await ids(store), BY_JANE)
            await store.groups.remove("db", BY_JANE)
            records = (await store.history.search(Search(limit=100), changes_per_record=10)).records[::-1]
            changes = [change for record in records for change in record.changes]
            assert {record.cause for record in records} == {BY_JANE}
            assert [(change.kind, change.subject_name) for change in changes] == [
                ("secret", "password"),
                ("group", "db"),
                *[("application", SHOP.identifier)] * 4,
                ("group", "db"),
            ]
            assert [change.after and change.after.get("status") for change in changes[2:6]] == [
                "approved",
                "active",
                "denied",
                None,
            ]
            assert "hunter2" not in repr(records)
            assert store.catalog.counters.revision > len(records)  # tokens move it too
            for record in records:
                with pytest.raises(ConflictError) as refused:
                    revert(store.catalog, record, record.time)
                assert "cannot be undone" in str(refused.value)
            assert await store.at(records[0].revision) is not None

    asyncio.run(run())


def test_past_settings_are_known_across_changes_of_applications(new_database: Callable[[], str]) -> None:
    """Past settings are known at any revision, also across changes of applications."""

    async def run() -> None:
        async with opened(new_database()) as store:
            await store.write(partial(context_features.add, name="user"))
            before = store.catalog.counters.revision
            await approved(store)
            await store.write(partial(context_features.add, name="theme"))
            assert (await store.at(before)).context_features == ("user",)
            assert (await store.at(before + 1)).context_features == ("user",)

    asyncio.run(run())
