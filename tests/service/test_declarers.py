"""Who may upgrade a setting by declaring it, and what the others are told."""

import asyncio
import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, text

from heksherlite import Setting, ThreadHeksherClient
from heksherlite.cli.commands import heksherlite
from heksherlite.service import AccessOptions, embedded
from heksherlite.service.domain.declarations import Declaration, declare
from heksherlite.service.domain.declarers import DeclarationRights, Declarer
from heksherlite.service.domain.differences import Shape
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.domain.versions import INITIAL
from heksherlite.service.storage.schema import upgrade_schema
from heksherlite.values.type_strings import parse_type
from tests.service.api import FEATURES, Api
from tests.service.stores import opened
from tests.service.tokens import EVERY_SCOPE, WITH_TOKENS, make_token

PROGRAM = (Scope.READ, Scope.DECLARE)
UPGRADE = {"version": "1.1", "default_value": 1}


class Service:
    def __init__(self, path: Path, url: str) -> None:
        self.path = path
        self.url = url
        self.tokens = {
            "owner": make_token(path, "owner", *PROGRAM),
            "intruder": make_token(path, "intruder", *PROGRAM),
            "prefixed": make_token(path, "prefixed", *PROGRAM, setting_prefix="shop."),
            "writer": make_token(path, "writer", *PROGRAM, Scope.WRITE),
            "operator": make_token(path, "operator", *EVERY_SCOPE),
        }
        self.clients = {name: Api(url, token=token) for name, token in self.tokens.items()}

    def declare(self, who: str, name: str, **fields: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.clients[who].declare(name, **fields).json()
        return answer

    def declarers(self, name: str) -> Any:
        return self.clients["operator"].get(f"settings/{name}/declarers").json()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    path = tmp_path_factory.mktemp("declarers") / "a.db"
    make_token(path, "first", *EVERY_SCOPE)
    with embedded(path, access=WITH_TOKENS, context_features=FEATURES) as running:
        service = Service(path, running.url)
        yield service
        for client in service.clients.values():
            client.close()


def test_an_upgrade_is_a_right_of_who_declared_first(service: Service) -> None:
    """Another token with declare alone starts, and is told of differences, and changes nothing."""
    assert service.declare("owner", "shop.a") == {"outcome": "created"}
    before = service.clients["operator"].setting("shop.a")
    assert service.declare("intruder", "shop.a") == {"outcome": "uptodate"}
    mismatch = service.declare("intruder", "shop.a", default_value=5)
    assert mismatch["outcome"] == "mismatch"
    assert mismatch["differences"] == [{"level": "minor", "attribute": "default_value", "latest_value": 60}]
    attempts: list[dict[str, Any]] = [
        UPGRADE,
        {"version": "2.0", "type": "float"},
        {"version": "1.1"},
        {"version": "2.0", "metadata": {"a": 1}},
    ]
    for fields in attempts:
        rejected = service.declare("intruder", "shop.a", **fields)
        assert rejected["outcome"] == "rejected"
        assert rejected["previous_version"] == "1.0"
        assert rejected["differences"][-1] == {"level": "mismatch", "message": rejected["missing_right"]}
    renamed = service.declare("intruder", "stolen", alias="shop.a", version="1.1")
    assert renamed["outcome"] == "rejected"
    token_id = service.tokens["intruder"][:12]
    assert f"heksherlite declarer add shop.a --token-id {token_id}" in renamed["missing_right"]
    assert mismatch["missing_right"] == renamed["missing_right"]
    assert service.clients["operator"].setting("shop.a") == before
    assert service.declare("owner", "shop.a", **UPGRADE)["outcome"] == "upgraded"
    assert service.declare("intruder", "shop.a")["outcome"] == "outdated"


@pytest.mark.parametrize("who", ["owner", "prefixed", "writer", "operator"])
def test_a_prefix_and_powerful_scopes_are_rights(service: Service, who: str) -> None:
    """A token that is limited to the setting's prefix, or may write anyway, upgrades it."""
    service.declare("owner", f"shop.{who}")
    assert service.declare(who, f"shop.{who}", **UPGRADE)["outcome"] == "upgraded"


def test_an_operator_adds_and_removes_declarers(service: Service) -> None:
    """Over HTTP: the list names who declared first and who was added; an id that nobody has is 404."""
    service.declare("owner", "b")
    operator, token_id = service.clients["operator"], service.tokens["intruder"][:12]
    body = {"kind": "token", "id": token_id}
    assert operator.call("POST", "settings/b/declarers", {**body, "id": "hkl_00000000"}).status_code == 404
    assert operator.call("POST", "settings/b/declarers", body).status_code == 204
    first = {"kind": "token", "id": service.tokens["owner"][:12], "name": "owner"}
    listed = service.declarers("b")
    assert sorted(listed["declarers"], key=lambda each: each["name"]) == [{**body, "name": "intruder"}, first]
    assert listed["strict"] is True
    assert service.declare("intruder", "b", **UPGRADE)["outcome"] == "upgraded"
    assert operator.call("DELETE", f"settings/b/declarers/token/{token_id}").status_code == 204
    assert operator.call("DELETE", f"settings/b/declarers/token/{token_id}").status_code == 404
    assert service.declare("intruder", "b", version="1.2")["outcome"] == "rejected"
    (record,) = operator.history(setting="b", limit=1)
    assert record["changes"][0]["after"]["declarers"] == [{"kind": "token", "id": first["id"]}]


def test_declarers_are_operations_that_can_be_undone(service: Service) -> None:
    """In a list of operations, they are as in their own routes, and a revert takes them back."""
    service.declare("owner", "c")
    operator = service.clients["operator"]
    added = {"op": "add_declarer", "setting": "c", "kind": "token", "id": service.tokens["intruder"][:12]}
    revision = operator.call("POST", "changes", {"operations": [added]}).json()["revision"]
    assert len(service.declarers("c")["declarers"]) == 2
    assert operator.call("POST", f"history/{revision}/revert").status_code == 200
    assert len(service.declarers("c")["declarers"]) == 1
    assert service.clients["writer"].call("POST", "changes", {"operations": [added]}).status_code == 403
    removed = {**added, "op": "remove_declarer"}
    assert operator.call("POST", "changes", {"operations": [removed]}).status_code == 409


def test_a_namesake_has_no_rights(service: Service) -> None:
    """An application is known by its id: another one with the same identifier is somebody else."""
    operator = service.clients["operator"]
    programs = []
    for _ in range(2):
        body = {"identifier": "shop", "approval": {"scopes": ["read", "declare"]}, "expires_at": 4_000_000_000}
        invited = operator.call("POST", "applications/invite", body).json()
        manifest = {"identifier": "shop", "version": "1"}
        redeem = {"manifest": manifest, "token": invited["one_time_token"]}
        token = httpx.post(f"{service.url}/f/redeem/", json=redeem).json()["token"]
        config = httpx.post(f"{service.url}/f/claim/", json={"token": token}).json()["config"]
        programs.append((invited["id"], Api(service.url, token=config["heksher"]["token"])))
    (first_id, first), (other_id, other) = programs
    with first.http, other.http:
        first.declare("d")
        assert service.declarers("d")["declarers"] == [{"kind": "application", "id": first_id, "name": "shop"}]
        assert other.declare("d", **UPGRADE).json()["outcome"] == "rejected"
        operator.call("POST", "settings/d/declarers", {"kind": "application", "id": other_id})
        assert other.declare("d", **UPGRADE).json()["outcome"] == "upgraded"
        assert first.declare("d", version="1.2", default_value=2).json()["outcome"] == "upgraded"


def test_the_command_line_lists_adds_and_removes(service: Service) -> None:
    """On the database and over HTTP alike."""
    service.declare("owner", "e")
    runner, token_id = CliRunner(), service.tokens["intruder"][:12]
    database = ["--database", f"sqlite:///{service.path}"]
    for target in (database, ["--url", service.url, "--token", service.tokens["operator"]]):
        added = runner.invoke(heksherlite, ["declarer", "add", "e", "--token-id", token_id, *target])
        assert added.exit_code == 0, added.output
        listed = runner.invoke(heksherlite, ["declarer", "list", "e", *target]).output
        assert "intruder" in listed
        assert "owner" in listed
        assert runner.invoke(heksherlite, ["declarer", "remove", "e", "--token-id", token_id, *target]).exit_code == 0
        assert "intruder" not in runner.invoke(heksherlite, ["declarer", "list", "e", *target]).output
        unknown = runner.invoke(heksherlite, ["declarer", "add", "e", "--application", "nobody", *target])
        assert "there is no application" in unknown.output
    assert "Give either" in runner.invoke(heksherlite, ["declarer", "add", "e", *database]).output


def test_a_program_without_the_right_starts_and_logs_it(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """The client gets its rules as ever, and its log says what an operator can do."""
    service.declare("owner", "f", type="int", default_value=60, configurable_features=["user"])
    service.clients["writer"].add_rule(7, setting="f", user="john")
    setting = Setting("f", int, ["user"], default_value=1, version="1.1")
    headers = {"Authorization": f"Bearer {service.tokens['intruder']}"}
    client = ThreadHeksherClient(service.url, 60, FEATURES, http_client_args={"headers": headers})
    client.track_contexts(user=["john"])
    with caplog.at_level(logging.ERROR, "heksherlite"), client:
        assert setting.get(user="john") == 7
    (conflict,) = [record for record in caplog.records if "conflict when declaring setting" in record.message]
    assert f"declarer add f --token-id {service.tokens['intruder'][:12]}" in conflict.getMessage()


def test_without_tokens_nothing_changes_until_it_is_set(tmp_path: Path) -> None:
    """With --auth none everybody upgrades; with --strict-declarations too, nobody does, and the answer says why."""
    for strict, outcome in ((None, "upgraded"), (True, "rejected"), (False, "upgraded")):
        access = AccessOptions(strict_declarations=strict)
        with embedded(tmp_path / f"{strict}.db", access=access, context_features=FEATURES) as running:
            api = Api(running.url)
            with api.http:
                api.declare("a")
                answer = api.declare("a", **UPGRADE).json()
        assert answer["outcome"] == outcome
        assert ("requires no tokens" in answer.get("missing_right", "")) == (outcome == "rejected")


@pytest.mark.parametrize("strict", [None, True])
def test_an_earlier_database_stays_as_it_was_until_it_is_set(tmp_path: Path, strict: bool | None) -> None:
    """In a database of an earlier version, nobody is a declarer, and everybody upgrades by default."""
    path = tmp_path / "a.db"
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        upgrade_schema(connection, to="0015")
        connection.execute(text("UPDATE heksherlite_state SET revision = 5"))
    engine.dispose()
    owner, other = make_token(path, "owner", *PROGRAM), make_token(path, "other", *PROGRAM)
    access = AccessOptions(auth="tokens", strict_declarations=strict)
    with embedded(path, access=access, context_features=FEATURES) as running:
        for token, fields, outcome in (
            (owner, {}, "created"),
            (other, UPGRADE, "rejected" if strict else "upgraded"),
        ):
            api = Api(running.url, token=token)
            with api.http:
                assert api.declare("a", **fields).json()["outcome"] == outcome


def test_a_new_database_is_strict_and_remembers_declarers(database: str) -> None:
    """Both are stored: a service that starts later on the database finds them."""

    async def run() -> None:
        me = Declarer("application", "880eb55e")
        declaration = Declaration(Shape("a", frozenset(), parse_type("int"), 1, {}), INITIAL)
        async with opened(database) as store:
            await store.write(partial(declare, declaration=declaration, rights=DeclarationRights(declarer=me)))
        async with opened(database) as store:
            assert store.strict_declarations
            assert store.catalog.entry("a").setting.declarers == {me}

    asyncio.run(run())
