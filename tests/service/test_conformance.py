"""Responses conform to the OpenAPI schema, whatever the request is."""

from collections.abc import Iterator, Mapping
from functools import cache
from ipaddress import ip_address, ip_network
from itertools import count
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from heksherlite.service import AccessOptions, embedded
from heksherlite.service.app import create_app
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.options import ServiceOptions
from heksherlite.service.storage.sqlite import SqliteDatabase
from heksherlite.service.storage.store import Store
from tests.service.api import FEATURES, Api
from tests.service.routes import all_calls
from tests.service.tokens import make_token

pytestmark = pytest.mark.thorough

LABELS = [f"{call.method} {call.path}" for call in all_calls() if call.documented]
LABELS.remove("GET /api/v1/stream")  # has no end

ADDRESSES = map(ip_address, count(2**24))


class Guarded:
    def __init__(self, url: str, token: str, limited: str) -> None:
        self.url = url
        self.headers = {
            "everything": {"Authorization": f"Bearer {token}"},
            "limited": {"Authorization": f"Bearer {limited}"},
            "nothing": {},
        }


HEALTH_CHECKS = [HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.data_too_large]


def without_tuples(schema: Any) -> Any:
    """Describe pairs as lists of two, because schemathesis takes ``prefixItems`` in a response for an error."""
    if isinstance(schema, list):
        return [without_tuples(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {key: without_tuples(value) for key, value in schema.items() if key != "prefixItems"}
    return {**changed, "items": schema["prefixItems"][0]} if "prefixItems" in schema else changed


@cache
def operations(auth: Literal["none", "tokens"]) -> Mapping[str, Any]:
    """Return the operations of the schema, by their labels."""
    import schemathesis  # noqa: PLC0415 - takes a second, which the collection of tests should not take

    @schemathesis.serializer("application/x-ndjson")
    def _(_context: Any, value: Any) -> bytes:
        return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")

    app = create_app(Store(SqliteDatabase(Path("unopened.db"))), ServiceOptions(access=AccessOptions(auth=auth)))
    found = schemathesis.openapi.from_dict(without_tuples(app.openapi())).get_all_operations()
    return {operation.label: operation for operation in (result.ok() for result in found)}  # type: ignore[union-attr]


def conforms(operation: Any, url: str, *, examples: int, headers: Any = dict) -> None:
    """Send generated requests, and check each response.

    All checks are made but one: a schema cannot say that a default fits its type, or that a name was not taken, so the
    service may refuse well-formed requests.
    """
    from schemathesis.specs.openapi.checks import positive_data_acceptance  # noqa: PLC0415 - as above

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=HEALTH_CHECKS,
    )
    @given(operation.as_strategy())
    def send(case: Any) -> None:
        case.call_and_validate(base_url=url, headers=headers(), excluded_checks=[positive_data_acceptance])

    send()


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


@pytest.mark.parametrize("label", LABELS)
def test_a_service_without_tokens_conforms(api: Api, label: str) -> None:
    """Every response is documented, has the documented form, and is not 500."""
    api.declare()
    api.add_rule(1, user="john")
    conforms(operations("none")[label], api.url, examples=10)


@pytest.mark.parametrize("who", ["everything", "limited", "nothing"])
@pytest.mark.parametrize("label", LABELS)
def test_a_service_with_tokens_conforms(guarded: Guarded, label: str, who: str) -> None:
    """Every response is documented, has the documented form, and is not 500, with any token, a limited one or none."""

    def headers() -> dict[str, str]:
        # Wrong tokens are tried too. Each request comes from another address, because wrong tokens are slowed down.
        return {**guarded.headers[who], "X-Forwarded-For": str(next(ADDRESSES))}

    conforms(operations("tokens")[label], guarded.url, examples=5, headers=headers)
