"""A list of settings says when, by whom and why each of them was changed last."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from heksherlite.service import embedded
from heksherlite.service.domain.tokens import Scope
from tests.service.api import FEATURES, Api
from tests.service.tokens import EVERY_SCOPE, WITH_TOKENS, make_token


def last_changes(api: Api) -> dict[str, Any]:
    response = api.get("settings", include_last_change="true")
    assert response.status_code == 200, response.text
    return {each["name"]: each["last_change"] for each in response.json()["settings"]}


def test_each_setting_has_its_own(api: Api) -> None:
    """A change of a rule is one of its setting, and not of others. It is the record of the history."""
    api.declare("a")
    api.declare("b")
    rule = {"setting": "a", "feature_values": {"user": "john"}, "value": 1, "reason": "cold"}
    assert api.call("POST", "rules", rule).is_success
    newest, declared, _ = api.history(limit=3)
    shown = ("revision", "time", "author", "reason")
    assert last_changes(api) == {
        "a": {name: newest[name] for name in shown},
        "b": {name: declared[name] for name in shown},
    }
    assert last_changes(api)["a"]["reason"] == "cold"
    assert "last_change" not in api.get("settings").json()["settings"][0]


def test_what_the_history_has_forgotten_is_null(tmp_path: Path) -> None:
    """A setting that was changed before the history begins has no last change."""
    path = tmp_path / "a.db"
    with embedded(path, context_features=FEATURES) as service:
        api = Api(service.url)
        with api.http:
            api.declare("a")
            api.declare("b")
            with closing(sqlite3.connect(path)) as connection, connection:
                revision = [api.revision() - 1]
                connection.execute("DELETE FROM history_changes WHERE revision = ?", revision)
                connection.execute("DELETE FROM history WHERE revision = ?", revision)
            assert last_changes(api)["a"] is None
            assert last_changes(api)["b"]["revision"] == api.revision()


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[dict[str, Api]]:
    path = tmp_path / "a.db"
    tokens = {
        "admin": make_token(path, "admin", *EVERY_SCOPE),
        "reader": make_token(path, "reader", Scope.READ),
        "limited": make_token(path, "limited", *EVERY_SCOPE, setting_prefix="a"),
    }
    with embedded(path, access=WITH_TOKENS, context_features=FEATURES) as service:
        yield {name: Api(service.url, token=token) for name, token in tokens.items()}


def test_who_sees_whom(guarded: dict[str, Api]) -> None:
    """Names of authors need audit or admin. A limited token gets no reason: it may be about other settings."""
    admin = guarded["admin"]
    admin.declare("a")
    admin.declare("b")
    default = {"operations": [{"op": "set_default", "setting": name, "value": 5} for name in ("a", "b")]}
    assert admin.call("POST", "changes", {**default, "reason": "b is wrong"}).is_success
    seen = {name: last_changes(api) for name, api in guarded.items()}
    assert (seen["admin"]["a"]["author"]["name"], seen["admin"]["a"]["reason"]) == ("admin", "b is wrong")
    assert (seen["reader"]["a"]["author"]["name"], seen["reader"]["a"]["reason"]) == (None, "b is wrong")
    assert seen["limited"].keys() == {"a"}
    assert (seen["limited"]["a"]["author"]["name"], seen["limited"]["a"]["reason"]) == (None, None)
    for api in guarded.values():
        api.http.close()
