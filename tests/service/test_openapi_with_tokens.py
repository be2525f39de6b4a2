"""The OpenAPI schema of a service that asks for tokens, and whether its responses follow it."""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from heksherlite.service import AccessOptions, embedded
from heksherlite.service.app import create_app
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.options import ServiceOptions
from heksherlite.service.storage.sqlite import SqliteDatabase
from heksherlite.service.storage.store import Store
from tests.service.api import FEATURES, Api
from tests.service.routes import all_calls
from tests.service.tokens import WITH_TOKENS, make_token


def without_tuples(schema: Any) -> Any:
    """Describe pairs as lists of two, because schemathesis takes ``prefixItems`` in a response for an error."""
    if isinstance(schema, list):
        return [without_tuples(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {key: without_tuples(value) for key, value in schema.items() if key != "prefixItems"}
    return {**changed, "items": schema["prefixItems"][0]} if "prefixItems" in schema else changed


SCHEMA = create_app(Store(SqliteDatabase(Path("unopened.db"))), ServiceOptions(access=WITH_TOKENS)).openapi()
OPERATIONS = {
    operation.label: operation
    for operation in (
        result.ok()
        for result in schemathesis.openapi.from_dict(without_tuples(SCHEMA)).get_all_operations()
        if isinstance(result, Ok)
    )
    if operation.label != "GET /api/v1/stream"  # has no end
}


PAGES = {
    "/f/oidc/callback",
    "/f/oidc/login",
    "/f/sessions",
    *("/docs", "/redoc", "/openapi.json", "/o/token/"),
    *(
        f"/f/{call}" for call in ("claim", "retrieve", "redeem", "start", "challenge", "configure")
    ),  # documented with a slash
    *("/f/style.css", "/f/login", "/f/logout", "/f/device", "/f/configure/"),
}

ADDRESSES = map(ip_address, count(2**24))


class Guarded:
    def __init__(self, url: str, token: str, limited: str) -> None:
        self.url = url
        self.headers = {
            "everything": {"Authorization": f"Bearer {token}"},
            "limited": {"Authorization": f"Bearer {limited}"},
            "nothing": {},
        }


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    path = tmp_path_factory.mktemp("openapi") / "a.db"
    limited = make_token(path, "limited", *Scope, setting_prefix="backend.")
    token = make_token(path, "everything", *Scope)
    access = AccessOptions(auth="tokens", trusted_proxies=(ip_network("127.0.0.1"),))
    with embedded(path, access=access, context_features=FEATURES) as service:
        api = Api(service.url, token=token)
        with api.http:
            for name in ("cache_ttl", "backend.a"):
                api.declare(name)
                api.add_rule(1, name, user="john")
        yield Guarded(service.url, token, limited)


def test_each_operation_says_what_it_needs() -> None:
    """The schema has the scope of each operation, and the ways to send a token."""
    assert set(SCHEMA["components"]["securitySchemes"]) == {"bearer", "api_token"}
    for call in all_calls():
        operation = SCHEMA["paths"].get(call.path, {}).get(call.method.lower())
        if operation is None:
            assert call.path in PAGES
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


@pytest.mark.parametrize("who", ["everything", "limited", "nothing"])
@pytest.mark.parametrize("label", OPERATIONS)
def test_responses_conform(guarded: Guarded, label: str, who: str) -> None:
    """Whatever the request and whoever sends it, the response is documented, has the documented form, and is no 500."""

    @settings(
        max_examples=5,
        deadline=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(OPERATIONS[label].as_strategy())
    def conforms(case: "schemathesis.Case[Any]") -> None:
        # Wrong tokens are tried too, each time from another address, because they are slowed down.
        headers = {**guarded.headers[who], "X-Forwarded-For": str(next(ADDRESSES))}
        case.call_and_validate(base_url=guarded.url, headers=headers, excluded_checks=[positive_data_acceptance])

    conforms()
