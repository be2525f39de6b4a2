"""The OpenAPI schema describes every route, and the scopes that it requires."""

from pathlib import Path

from heksherlite.service.app import create_app
from heksherlite.service.options import ServiceOptions
from heksherlite.service.storage.sqlite import SqliteDatabase
from heksherlite.service.storage.store import Store
from tests.service.routes import all_calls
from tests.service.tokens import WITH_TOKENS


def test_every_route_is_described() -> None:
    """The schema has all operations of the API, and those of grants, health and metrics."""
    paths = create_app(Store(SqliteDatabase(Path("unopened.db")))).openapi()["paths"]
    assert sum(map(len, paths.values())) == 90


def test_each_operation_says_what_it_needs() -> None:
    """The schema has the scope of each operation, and the ways to send a token."""
    schema = create_app(Store(SqliteDatabase(Path("unopened.db"))), ServiceOptions(access=WITH_TOKENS)).openapi()
    assert set(schema["components"]["securitySchemes"]) == {"bearer", "api_token"}
    for call in all_calls():
        operation = schema["paths"].get(call.path, {}).get(call.method.lower())
        if operation is None:
            assert not call.documented
            assert not call.path.startswith("/api/")
        elif call.required.is_public:
            assert "security" not in operation
        else:
            scopes = [call.required.scope, *sorted(call.required.alternatives)]
            ways = [{way: [scope]} for scope in scopes for way in ("bearer", "api_token")]
            assert operation["security"] == ways
            assert {"401", "403", "429"} <= set(operation["responses"])


def test_without_tokens_the_schema_asks_for_none() -> None:
    """A service that lets everybody in does not tell its clients otherwise."""
    schema = create_app(Store(SqliteDatabase(Path("unopened.db")))).openapi()
    assert "securitySchemes" not in schema["components"]
    assert not [
        operation for path in schema["paths"].values() for operation in path.values() if "security" in operation
    ]
