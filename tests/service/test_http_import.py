"""``POST /api/v1/import``: an export is put into a running service."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from heksherlite.admin import AccessRefusedError, AdminClient, RequestRefusedError
from heksherlite.service import embedded
from heksherlite.service.domain.limits import Limits
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.options import AccessOptions
from tests.service.api import FEATURES, Api
from tests.service.test_importing import LINES, fill
from tests.service.tokens import EVERY_SCOPE, WITH_TOKENS, make_token

ANYBODY = AccessOptions()


def content(lines: list[Any] = LINES) -> bytes:
    return b"".join(each if isinstance(each, bytes) else json.dumps(each).encode() + b"\n" for each in lines)


def put(api: Api, body: bytes, *, reason: str | None = None, **params: Any) -> httpx.Response:
    headers = {} if reason is None else {"X-Change-Reason": reason}
    return api.http.post("/api/v1/import", content=body, params=params, headers=headers)


def test_an_export_comes_back(database: str, new_database: Any) -> None:
    """An export of one service, imported into another, gives the same export again, byte for byte."""
    with embedded(new_database(), context_features=FEATURES) as service:
        source = Api(service.url)
        with source.http:
            fill(source)
            export = source.http.get("/api/v1/export").content
    with embedded(database, context_features=FEATURES) as service:
        target = Api(service.url)
        with target.http:
            revision = target.revision()
            response = put(target, export, reason="moved")
            assert response.status_code == 200, response.text
            record = target.history(limit=1)[0]
            assert response.json() == {
                "settings": 5,
                "rules": 42,
                "revision": record["revision"],
                "revision_name": response.json()["revision_name"],
            }
            assert (record["revision"], record["reason"]) == (revision + 1, "moved")
            assert target.http.get("/api/v1/export").content == export
            assert target.add_rule(1, environment="new") == 44  # 43 is the one that was deleted


def test_a_dry_run_changes_nothing(api: Api) -> None:
    """It answers the same, with the newest revision, and stores nothing."""
    before = api.state(), api.revision()
    response = put(api, content(), dry_run="true")
    assert response.status_code == 200, response.text
    assert response.json()["settings"] == 1
    assert response.json()["revision"] == before[1]
    assert (api.state(), api.revision()) == before


def test_settings_are_only_replaced_if_that_is_wanted(api: Api) -> None:
    """A service that has settings refuses the import. With replace, it deletes them."""
    api.declare("colors")
    before = api.state()
    for dry_run in ("true", "false"):
        refused = put(api, content(), dry_run=dry_run)
        assert refused.status_code == 409
        assert refused.text == "there are 1 settings already; an import with replace deletes them first"
    assert api.state() == before
    assert put(api, content(), replace="true").status_code == 200
    assert list(api.query()) == ["x"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "line 1: this is not what heksherlite export wrote"),
        (LINES[:-1], "line 5: the file was cut off: it has no end"),
        ([*LINES[:2], b"{\n"], "line 3: not JSON, or cut off"),
        ([*LINES[:2], {"rule": {**LINES[2]["rule"], "value": "a"}}, LINES[-1]], "line 3: rule 1 of setting 'x': "),
    ],
)
def test_a_malformed_export_changes_nothing(api: Api, lines: list[Any], message: str) -> None:
    """The line is named, and nothing of the lines before it is stored."""
    api.declare("colors")
    before = api.state(), api.revision()
    for dry_run in ("true", "false"):
        refused = put(api, content(lines), replace="true", dry_run=dry_run)
        assert refused.status_code == 422
        (problem,) = refused.json()["detail"]
        assert message in problem["msg"]
    assert (api.state(), api.revision()) == before


def test_limits(tmp_path: Path) -> None:
    """The limits of the service hold for imports too, but bodies may be larger than those of other requests."""
    limits = Limits(
        max_rules=2, max_value_size=2_000, max_body_size=100, max_import_size=10_000, max_changes_size=5_000
    )
    rule = LINES[2]["rule"]
    third = {"rule": {**rule, "rule_id": 3, "feature_values": {"user": "c"}}}
    tried = {
        200: LINES,
        409: [*LINES[:-1], third, {"end": {"settings": 1, "rules": 3, "last_rule_id": 3}}],
        413: [*LINES[:2], {"rule": {**rule, "metadata": {"a": "x" * 2_000}}}, *LINES[3:]],
        422: [*LINES[:2], {"rule": {**rule, "metadata": {"a": "x" * 6_000}}}, *LINES[3:]],
    }
    with embedded(tmp_path / "a.db", context_features=FEATURES, limits=limits) as service:
        api = Api(service.url)
        with api.http:
            for status, lines in tried.items():
                answer = put(api, content(lines), replace="true")
                assert answer.status_code == status, answer.text
            too_large = put(api, b"x" * 20_000)
            assert (too_large.status_code, too_large.text) == (413, "the body is larger than 10000 bytes")
            assert api.rule_ids("x") == [1, 2]


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Return the URL of a service with a protected setting, and tokens."""
    path = tmp_path / "a.db"
    tokens = {
        "admin": make_token(path, "admin", *EVERY_SCOPE),
        "writer": make_token(path, "writer", *set(Scope) - {Scope.ADMIN}),
        "limited": make_token(path, "limited", *EVERY_SCOPE, setting_prefix="x"),
    }
    with embedded(path, access=WITH_TOKENS, context_features=FEATURES) as service:
        api = Api(service.url, token=tokens["admin"])
        with api.http:
            api.declare("colors")
            protect = {"op": "set_protection", "setting": "colors", "protected": True}
            assert api.call("POST", "changes", {"operations": [protect]}).is_success
        yield service.url, tokens


def test_who_may_import(guarded: tuple[str, dict[str, str]], tmp_path: Path) -> None:
    """An import takes the scope admin and no setting prefix. Its refusal is readable, however much is being sent."""
    url, tokens = guarded
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(80_000_000)
    for name, status in (("writer", 403), ("limited", 403), (None, 401)):
        with (
            AdminClient(url, token=None if name is None else tokens[name]) as admin,
            large.open("rb") as file,
            pytest.raises(AccessRefusedError) as raised,
        ):
            admin.import_export(file, replace=True)
        assert raised.value.status == status


def test_protected_settings_are_kept(guarded: tuple[str, dict[str, str]], tmp_path: Path) -> None:
    """They are deleted in an emergency only, with a reason, and the history and the audit record keep that."""
    url, tokens = guarded
    file = tmp_path / "export"
    file.write_bytes(content())
    with AdminClient(url, token=tokens["admin"]) as admin:

        def put_export(**options: Any) -> None:
            with file.open("rb") as lines:
                admin.import_export(lines, replace=True, **options)

        with pytest.raises(AccessRefusedError, match=r"protected settings are only changed by proposals .*'colors'"):
            put_export()
        with pytest.raises(RequestRefusedError, match="break_glass needs a reason"):
            put_export(break_glass=True)
        assert [each.name for each in admin.list_settings()] == ["colors"]
        put_export(break_glass=True, reason="the database ist zerstört")
        (record,) = admin.history(limit=1).records
        assert (record.reason, record.break_glass) == ("the database ist zerstört", True)
        assert b"break_glass" in admin.export_audit()


def test_who_goes_away_changes_nothing(api: Api) -> None:
    """A connection that ends in the middle of the body stores nothing, and the service goes on."""
    host, port = api.url.removeprefix("http://").split(":")
    half = content()[:100]
    with socket.create_connection((host, int(port))) as connection:
        head = f"POST /api/v1/import HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(content())}\r\n\r\n"
        connection.sendall(head.encode() + half)
    assert put(api, content(), dry_run="true").status_code == 200
    assert api.query() == {}


def test_what_was_changed_since_is_not_deleted(api: Api) -> None:
    """An import with the name of a revision is refused if there is a newer one, and nothing changes."""
    api.declare("colors")
    looked_at = put(api, content(), replace="true", dry_run="true").json()["revision_name"]
    api.declare("sizes")
    refused = put(api, content(), replace="true", base_revision=looked_at)
    assert refused.status_code == 409
    assert f"something was changed since revision {looked_at}; the newest is " in refused.text
    assert list(api.query()) == ["colors", "sizes"]
    newest = put(api, content(), replace="true", dry_run="true").json()["revision_name"]
    assert put(api, content(), replace="true", base_revision=newest).status_code == 200
    assert list(api.query()) == ["x"]
