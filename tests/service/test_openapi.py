"""The OpenAPI schema describes what the service really returns."""

from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from heksherlite.service.app import create_app
from heksherlite.service.storage.sqlite import SqliteDatabase
from heksherlite.service.storage.store import Store
from tests.service.api import Api

schema = schemathesis.openapi.from_dict(create_app(Store(SqliteDatabase(Path("unopened.db")))).openapi())
operations = {
    operation.label: operation
    for operation in (result.ok() for result in schema.get_all_operations() if isinstance(result, Ok))
}


def test_every_route_is_described() -> None:
    """The schema has all calls of the v1 API, those of grants, and those that tell how the service is."""
    assert len(operations) == 80


@pytest.mark.thorough
@pytest.mark.parametrize("label", sorted(operations.keys() - {"GET /api/v1/stream"}))  # has no end
def test_responses_conform(api: Api, label: str) -> None:
    """Whatever the request, the response is documented, has the documented form, and is no 500."""
    api.declare()
    api.add_rule(1, user="john")

    @settings(
        max_examples=10,
        deadline=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(operations[label].as_strategy())
    def conforms(case: "schemathesis.Case[Any]") -> None:
        # All checks but one: a schema cannot say that a default fits its type, or that a name was not taken, so
        # well-formed data may be refused.
        case.call_and_validate(base_url=api.url, excluded_checks=[positive_data_acceptance])

    conforms()
