"""The metadata of the operator's default."""

from collections.abc import Callable
from typing import Any

from heksherlite.service import embedded
from tests.service.api import FEATURES, Api

OWNED = {"managed_by": "checkout", "more": [1, None]}


def change(api: Api, **operation: Any) -> dict[str, Any]:
    response = api.call("POST", "changes", {"operations": [{"setting": "cache_ttl", **operation}]})
    assert response.status_code == 200, response.text
    result: dict[str, Any] = response.json()
    return result


def metadata(api: Api) -> Any:
    return api.setting().get("operator_default_metadata")


def test_it_stays_until_the_default_is_removed(api: Api) -> None:
    """set_default without metadata leaves it. With other metadata alone it is a change, without impact."""
    api.declare()
    change(api, op="set_default", value=5, metadata=OWNED)
    change(api, op="set_default", value=6)
    assert metadata(api) == OWNED
    assert change(api, op="set_default", value=6, metadata=OWNED)["changes"] == []
    made = change(api, op="set_default", value=6, metadata={})
    assert (len(made["changes"]), made["impact"]) == (1, [])
    assert metadata(api) is None
    change(api, op="set_default", value=6, metadata=OWNED)
    change(api, op="clear_default")
    change(api, op="set_default", value=7)
    assert metadata(api) is None


def test_it_is_reverted_with_the_default(api: Api) -> None:
    """Reverting a change puts the metadata back, too, and the past has it."""
    api.declare()
    change(api, op="set_default", value=5, metadata=OWNED)
    before = api.revision()
    change(api, op="set_default", value=6, metadata={"managed_by": "search"})
    assert api.call("POST", f"history/{api.revision()}/revert").is_success
    assert (api.setting()["default_value"], metadata(api)) == (5, OWNED)
    assert change(api, op="clear_default")["changes"][0]["before"]["operator_default_metadata"] == OWNED
    assert (
        b'"operator_default_metadata":{"managed_by":"checkout"'
        in api.http.get("/api/v1/export", params={"at": before}).content
    )


def test_it_is_stored_and_moved(new_database: Callable[[], str]) -> None:
    """It is in the database and in exports, and comes back from both."""
    first, second = new_database(), new_database()
    export = b""
    for _ in range(2):
        with embedded(first, context_features=FEATURES) as service:
            api = Api(service.url)
            with api.http:
                api.declare()
                change(api, op="set_default", value=5, metadata=OWNED)
                assert metadata(api) == OWNED
                export = api.http.get("/api/v1/export").content
    with embedded(second, context_features=FEATURES) as service:
        api = Api(service.url)
        with api.http:
            assert api.http.post("/api/v1/import", content=export).is_success
            assert metadata(api) == OWNED
            assert api.http.get("/api/v1/export").content == export


def test_it_needs_a_default(api: Api) -> None:
    """An import with metadata of no default is refused."""
    api.declare()
    change(api, op="set_default", value=5, metadata=OWNED)
    export = api.http.get("/api/v1/export").content.replace(b'"operator_default_value":5,', b"")
    refused = api.http.post("/api/v1/import", params={"replace": "true"}, content=export)
    assert refused.status_code == 422
    assert "there is operator_default_metadata, but no operator_default_value" in refused.text
