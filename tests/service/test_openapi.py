"""The OpenAPI schema describes every route, and the scopes that it requires."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from heksherlite.operations import OPERATIONS
from heksherlite.service.app import create_app
from heksherlite.service.options import ServiceOptions
from heksherlite.service.storage.sqlite import SqliteDatabase
from heksherlite.service.storage.store import Store
from tests.service.routes import all_calls
from tests.service.tokens import WITH_TOKENS


def test_every_route_is_described() -> None:
    """The schema has all operations of the API, and those of grants, health and metrics."""
    paths = create_app(Store(SqliteDatabase(Path("unopened.db")))).openapi()["paths"]
    assert sum(map(len, paths.values())) == 93


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


def test_every_number_in_a_request_has_bounds() -> None:
    """No integer is so large that something below fails on it: each has a smallest and a largest value.

    Only the ID of a rule has none, because it is looked up in memory, where no ID is too large to be missing.
    """
    schema = create_app(Store(SqliteDatabase(Path("unopened.db")))).openapi()
    unbounded = [
        f"{method} {path} {where}"
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
        for where, integer in _integers(operation.get("parameters", []), schema)
        if where != "rule_id" and not {"minimum", "maximum"} <= set(integer)
    ]
    assert unbounded == []


def _integers(part: Any, schema: dict[str, Any], where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(part, list):
        for each in part:
            yield from _integers(each, schema, where)
    elif isinstance(part, dict):
        if part.get("type") == "integer":
            yield where, part
        for each in part.values():
            yield from _integers(each, schema, part.get("name", where))


def test_fields_of_operations_have_no_default() -> None:
    """A field of an operation that is left out stays as it is, so the schema has no default for it."""
    schemas = create_app(Store(SqliteDatabase(Path("unopened.db")))).openapi()["components"]["schemas"]
    operations = {name: schema for name, schema in schemas.items() if "op" in schema.get("properties", {})}
    assert len(operations) == len(OPERATIONS)
    for schema in operations.values():
        assert not [name for name, field in schema["properties"].items() if "default" in field]
        assert schema["additionalProperties"] is False
        assert schema["description"]
