"""Several services on one database, each with its own catalog and connections."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from random import Random
from typing import Any, TypeVar

import pytest

from heksherlite.service import embedded
from heksherlite.service.domain.authors import BY_SERVICE, Cause
from heksherlite.service.domain.catalog import Catalog, Changes, Decision
from heksherlite.service.domain.counters import Counters
from heksherlite.service.domain.lineage import NO_NONCE
from heksherlite.service.errors import RequestError
from heksherlite.service.storage.store import Store
from tests.service.api import FEATURES, Api
from tests.service.stores import opened, run_sql, without_logs
from tests.waiting import until

T = TypeVar("T")

NAMES = ["a", "b", "c", "d"]


@pytest.fixture
def replicas(database: str) -> Iterator[list[Api]]:
    """Return clients of three services on one database."""
    with ExitStack() as stack:
        services = [stack.enter_context(embedded(database, context_features=FEATURES)) for _ in range(3)]
        apis = [stack.enter_context(closing(Api(service.url))) for service in services]
        for api in apis:
            # FastAPI builds its routes when they are first looked at, and ignores warnings meanwhile, which does not
            # work in several threads at once.
            assert api.get("nonsense").status_code == 404
        yield apis


@dataclass(frozen=True)
class Made:
    """A decided write: its revision, decision and outcome."""

    revision: int
    decide: Callable[[Catalog], Decision[Any]]
    outcome: object


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Made]:
    """Return the list of all writes of all services in this process."""
    writes: list[Made] = []
    write = Store.write

    async def recording(store: Store, decide: Callable[[Catalog], Decision[T]], cause: Cause = BY_SERVICE) -> T:
        at = -1

        def noting(catalog: Catalog) -> Decision[T]:
            nonlocal at
            at = catalog.counters.revision
            return decide(catalog)

        try:
            response = await write(store, noting, cause)
        except RequestError as error:
            writes.append(Made(at, decide, outcome_of(error)))
            raise
        writes.append(Made(at, decide, response))
        return response

    monkeypatch.setattr(Store, "write", recording)
    return writes


def outcome_of(error: RequestError) -> object:
    return type(error), error.message


def decided(made: Made, catalog: Catalog) -> tuple[Changes, object]:
    try:
        decision = made.decide(catalog)
    except RequestError as error:
        return Changes(), outcome_of(error)
    return decision.changes, decision.result


def replayed(writes: list[Made], database_id: str) -> Catalog:
    """Apply the writes one after the other in memory, and check the outcome of each."""
    at: dict[int, list[Made]] = defaultdict(list)
    for made in writes:
        at[made.revision].append(made)
    catalog = Catalog(Counters(database_id))
    for revision in sorted(at):
        assert catalog.counters.revision == revision
        changing = []
        for made in at[revision]:
            changes, outcome = decided(made, catalog)
            assert outcome == made.outcome
            if changes:
                changing.append(changes)
        assert len(changing) <= 1
        for changes in changing:
            catalog = catalog.after(changes, catalog.counters_after(changes))
    return catalog


def anything(api: Api, random: Random) -> int:
    """Send some write, which may be refused, and return the status."""
    name, other = random.sample(NAMES, 2)
    feature, other_feature = random.sample([*FEATURES, "extra"], 2)
    version = f"1.{random.randrange(30)}"
    features = random.sample([*FEATURES, "extra"], random.randint(1, 3))
    rule_id = random.randrange(1, 60)
    some_rule = {
        "setting": name,
        "feature_values": {feature: random.choice("xy") for feature in features},
        "value": random.randrange(100),
    }
    calls: list[tuple[str, str, Any]] = [
        ("POST", "rules", some_rule),
        ("POST", "rules", some_rule),
        ("PUT", f"rules/{rule_id}/value", {"value": random.randrange(100)}),
        ("POST", f"rules/{rule_id}/metadata", {"metadata": {random.choice("kl"): random.randrange(9)}}),
        ("DELETE", f"rules/{rule_id}", None),
        ("PUT", f"settings/{name}/name", {"name": random.choice([other, f"{other}x"]), "version": version}),
        ("PUT", f"settings/{name}/configurable_features", {"configurable_features": features, "version": version}),
        ("PUT", f"settings/{name}/metadata/k", {"value": random.randrange(9), "version": version}),
        ("DELETE", f"settings/{name}", None),
        ("POST", "context_features", {"context_feature": "extra"}),
        ("DELETE", "context_features/extra", None),
        ("PATCH", f"context_features/{feature}/index", {"to_after": other_feature}),
        ("PATCH", f"context_features/{feature}/index", {"to_before": other_feature}),
    ]
    if random.random() < 0.3:
        first = {"configurable_features": FEATURES, "default_value": 1, "version": "1.0"}
        later = {"configurable_features": features, "default_value": random.randrange(5), "version": version}
        return api.declare(name, **random.choice([first, later, {**later, "alias": other}])).status_code
    method, path, body = random.choice(calls)
    return api.call(method, path, body).status_code


async def stored(database: str) -> Catalog:
    async with opened(database) as store:
        return store.catalog


def without_time_and_nonces(catalog: Catalog) -> Catalog:
    """Remove what a replay cannot repeat."""
    state = replace(
        catalog.counters, changed_at=None, revision_nonce=NO_NONCE, features_nonce=NO_NONCE, access_nonce=NO_NONCE
    )
    entries = {
        id_: replace(entry, setting=replace(entry.setting, nonce=NO_NONCE)) for id_, entry in catalog.entries.items()
    }
    return replace(catalog, counters=state, entries=entries)


@pytest.mark.thorough
def test_concurrent_writes_are_as_if_one_after_the_other(made: list[Made], replicas: list[Api], database: str) -> None:
    """Concurrent writes through several replicas have the outcomes and the final state of a sequence."""

    def write(seed: int) -> list[int]:
        random = Random(seed)  # noqa: S311  # no secret
        api = replicas[seed % len(replicas)]
        return [anything(api, random) for _ in range(40)]

    with ThreadPoolExecutor(9) as pool:
        statuses = [status for result in pool.map(write, range(9)) for status in result]
    assert set(statuses) <= {200, 201, 204, 400, 404, 409, 422}
    assert sum(status < 300 for status in statuses) > 50
    final = asyncio.run(stored(database))
    assert without_logs(replayed(made, final.counters.database_id)) == without_logs(without_time_and_nonces(final))
    until(lambda: replicas[0].state() == replicas[1].state() == replicas[2].state())


def test_a_setting_is_known_everywhere_at_once(replicas: list[Api]) -> None:
    """A setting that is declared through one replica is known to all others at once."""
    for number in range(20):
        name = f"setting_{number}"
        assert replicas[number % 3].declare(name).status_code == 200
        assert set(replicas[(number + 1) % 3].query(settings=name)) == {name}


@pytest.fixture
def without_following(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep services from reading the database by themselves, and let them take their time when they must read it.

    A busy machine would otherwise make some responses 503 with Retry-After, as it should.
    """
    monkeypatch.setattr("heksherlite.service.storage.store._CATCH_UP_SECONDS", 60.0)

    async def follow(_store: Store, until: asyncio.Event) -> None:
        await until.wait()

    monkeypatch.setattr(Store, "follow", follow)


@pytest.mark.usefixtures("without_following")
@pytest.mark.parametrize("settings", [{}, {"settings": "cache_ttl"}])
def test_a_client_never_goes_back(replicas: list[Api], settings: dict[str, str]) -> None:
    """A client with a newer tag never gets an older response from another replica."""
    one, two, _ = replicas
    one.declare()
    rule_id = one.add_rule(0, user="u")
    for value in range(1, 20):
        one.call("PUT", f"rules/{rule_id}/value", {"value": value})
        seen = one.get("query", **settings).headers["etag"]
        response = two.call("GET", "query", params=settings, headers={"if-none-match": seen})
        assert (response.status_code, response.headers["etag"]) == (304, seen)
        assert two.query(**settings)["cache_ttl"]["rules"][0]["value"] == value
        one, two = two, one


@pytest.mark.usefixtures("without_following")
def test_a_change_may_be_based_on_what_another_replica_showed(replicas: list[Api]) -> None:
    """A replica that has not heard of the base revision reads it, and finds the conflicts since."""
    one, two, _ = replicas
    one.declare()
    rule_id = one.add_rule(0, user="u")
    for value in range(1, 4):
        seen = one.revision()
        change = {"operations": [{"op": "set_value", "rule_id": rule_id, "value": value}], "base_revision": seen}
        assert two.call("POST", "changes", change).status_code == 200
        response = one.call("POST", "changes", {**change, "operations": [{"op": "delete_rule", "rule_id": rule_id}]})
        assert response.status_code == 409
        (conflict,) = response.json()["conflicts"]
        assert f"changed from {value - 1} to {value} in revision {seen + 1}" in conflict["reason"]
        one, two = two, one


@pytest.mark.usefixtures("without_following")
def test_partial_responses_do_not_go_back_either(replicas: list[Api]) -> None:
    """The same for a client that requests partial responses."""
    one, two, _ = replicas
    one.declare()
    two.query(settings="cache_ttl")
    asking = {"accept": "application/x-ndjson", "a-im": "heksherlite"}
    first = one.call("GET", "query?settings=cache_ttl", headers=asking).headers["etag"]
    one.add_rule(1, user="u")
    second = one.call("GET", "query?settings=cache_ttl", headers={**asking, "if-none-match": first})
    one.add_rule(2, user="v")
    third = two.call("GET", "query?settings=cache_ttl", headers={**asking, "if-none-match": second.headers["etag"]})
    assert (second.status_code, third.status_code) == (226, 226)
    assert json.loads(third.text.splitlines()[-2])["values"][-1] == 2


@pytest.mark.usefixtures("without_following")
def test_a_database_that_is_put_back_is_served(replicas: list[Api], database: str) -> None:
    """After an older database was restored, clients with newer tags get its state."""
    one, two, _ = replicas
    one.declare()
    ((revision, nonce),) = run_sql(database, "SELECT revision, revision_nonce FROM heksherlite_state")
    two.add_rule(1, user="u")
    seen = two.get("query", settings="cache_ttl").headers["etag"]
    run_sql(
        database,
        f"UPDATE heksherlite_state SET revision = {revision}, revision_nonce = '{nonce}'",  # noqa: S608
        f"UPDATE settings SET revision = {revision}, nonce = '{nonce}'",  # noqa: S608
        f"DELETE FROM revisions WHERE revision > {revision}",  # noqa: S608
        "DELETE FROM rules",
    )
    response = one.call("GET", "query", params={"settings": "cache_ttl"}, headers={"if-none-match": seen})
    assert response.status_code == 200
    assert response.json()["settings"]["cache_ttl"]["rules"] == []
