from collections.abc import Callable
from contextlib import closing

import pytest

from heksherlite.service import embedded
from tests.service.api import Api
from tests.service.stores import run_sql


def tag(api: Api, **params: str) -> str:
    return api.get("query", **params).headers["etag"]


@pytest.mark.parametrize("wrap", ["{}", "W/{}", '"other", {}', '{},"other"', "*", '"a", *'])
def test_a_known_tag_is_304(api: Api, wrap: str) -> None:
    """A star, or a list with the tag, gets 304 without a body. Tags are compared weakly."""
    api.declare()
    known = tag(api)
    response = api.call("GET", "query", headers={"if-none-match": wrap.format(known)})
    assert (response.status_code, response.content, response.headers["etag"]) == (304, b"", known)


@pytest.mark.parametrize("header", ['"other"', "", "nonsense", 'W/"x", "y"'])
def test_another_tag_is_200(api: Api, header: str) -> None:
    """Other tags get the full response."""
    api.declare()
    assert api.call("GET", "query", headers={"if-none-match": header}).status_code == 200


def test_tags_in_several_headers_count(api: Api) -> None:
    """A list of tags may be divided among several headers."""
    api.declare()
    headers = [("if-none-match", '"other"'), ("if-none-match", tag(api))]
    assert api.call("GET", "query", headers=headers).status_code == 304


def test_304_again_and_again(api: Api) -> None:
    """A repeated request gets 304 until something changes. Another header or query is evaluated separately."""
    api.declare()
    rule_id = api.add_rule(1, user="john")
    headers = {"if-none-match": tag(api)}
    first = api.call("GET", "query", headers=headers)
    for _ in range(2):
        again = api.call("GET", "query", headers=headers)
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        assert again.headers.keys() == first.headers.keys()
    assert api.call("GET", "query", headers={**headers, "accept": "application/x-ndjson"}).status_code == 200
    assert api.call("GET", "query", headers=headers, params={"settings": "cache_ttl"}).status_code == 200
    assert api.call("GET", "query", headers=headers, params={"settings": "none"}).status_code == 404
    api.call("PUT", f"rules/{rule_id}/value", {"value": 2})
    assert api.call("GET", "query", headers=headers).status_code == 200


def test_tags_are_strong(api: Api) -> None:
    """The tag is quoted and strong."""
    assert tag(api).startswith('"')
    assert tag(api).endswith('"')


def test_the_tag_of_another_query_does_not_count(api: Api) -> None:
    """Queries with different responses have different tags."""
    api.declare("a")
    api.declare("b")
    tags = {
        tag(api),
        tag(api, settings="a"),
        tag(api, settings="b"),
        tag(api, settings=""),
        tag(api, context_filters=""),
        tag(api, context_filters="user:*"),
        tag(api, include_metadata="true"),
    }
    assert len(tags) == 7


def test_a_write_to_another_setting_leaves_the_tag(api: Api) -> None:
    """A write to a setting that was not queried does not change the tag."""
    api.declare("a")
    api.declare("b")
    known = tag(api, settings="a")
    rule_id = api.add_rule(1, setting="b", user="x")
    api.call("PUT", f"rules/{rule_id}/value", {"value": 2})
    api.declare("b", version="1.1")
    api.call("DELETE", "settings/b")
    assert tag(api, settings="a") == known


def test_a_write_without_effect_leaves_the_tag(api: Api) -> None:
    """A write without effect makes no revision."""
    api.declare()
    rule_id = api.add_rule(1, user="a")
    known = tag(api)
    api.declare()
    api.declare(default_value=1)
    api.call("PUT", f"rules/{rule_id}/value", {"value": 1})
    api.call("PUT", "settings/cache_ttl/type", {"type": "int", "version": "1.0"})
    api.call("PATCH", "context_features/user/index", {"to_after": "environment"})
    api.call("DELETE", "settings/nope")
    assert tag(api) == known


def test_every_write_that_shows_changes_the_tag(api: Api) -> None:
    """Each change of a queried setting, its rules, or the order of features changes the tag."""
    api.declare()
    tags = [tag(api, settings="cache_ttl")]

    def note(status: int) -> None:
        assert status < 300
        tags.append(tag(api, settings="cache_ttl"))

    rule_id = api.add_rule(1, user="a")
    note(200)
    note(api.call("PUT", f"rules/{rule_id}/value", {"value": 2}).status_code)
    note(api.call("PUT", f"rules/{rule_id}/metadata/k", {"value": 2}).status_code)
    note(api.declare(default_value=61, version="1.1").status_code)
    note(api.call("PUT", "settings/cache_ttl/name", {"name": "ttl", "version": "1.1"}).status_code)
    note(api.call("PATCH", "context_features/user/index", {"to_before": "environment"}).status_code)
    note(api.call("DELETE", f"rules/{rule_id}").status_code)
    assert len(set(tags)) == len(tags)


def test_the_tag_of_all_settings_follows_which_there_are(api: Api) -> None:
    """A new and a deleted setting change the tag of a query for all settings."""
    api.declare("a")
    tags = [tag(api)]
    api.declare("b")
    tags.append(tag(api))
    api.call("DELETE", "settings/b")
    tags.append(tag(api))
    assert len(set(tags)) == 3


def test_tags_outlive_a_restart_but_not_a_database(new_database: Callable[[], str]) -> None:
    """A tag is the same in the next process, and different for another database."""
    tags = []
    one, two = new_database(), new_database()
    for database in (one, one, two):
        with embedded(database, context_features=["user", "environment"]) as service:
            api = Api(service.url)
            with api.http:
                if api.get("settings/cache_ttl").status_code == 404:
                    api.declare()
                tags.append(tag(api, settings="cache_ttl"))
    assert tags[0] == tags[1] != tags[2]


def test_a_tag_is_not_fooled_by_a_setting_of_the_same_name(api: Api) -> None:
    """A setting that was deleted and declared again has another tag."""
    api.declare()
    known = tag(api, settings="cache_ttl")
    api.call("DELETE", "settings/cache_ttl")
    api.declare()
    assert tag(api, settings="cache_ttl") != known


def test_rows_carry_revisions(database: str) -> None:
    """The rows of the database contain the revisions that replicas need to catch up."""
    with embedded(database, context_features=["environment", "user"]) as service, closing(Api(service.url)) as api:
        api.declare()
        kept, gone = api.add_rule(1, user="a"), api.add_rule(1, user="b")
        api.call("DELETE", f"rules/{gone}")
    assert run_sql(database, "SELECT revision FROM heksherlite_state") == [(5,)]
    assert run_sql(database, "SELECT id, revision FROM rules") == [(kept, 3)]
    assert run_sql(database, "SELECT revision FROM settings") == [(5,)]
    assert run_sql(database, "SELECT kind, id, revision FROM removals") == [("rule", gone, 5)]
