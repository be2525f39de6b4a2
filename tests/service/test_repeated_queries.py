"""Queries that repeat an earlier one are answered from caches, with the same response."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from heksherlite.service.domain.query import entries_of
from tests.service.in_process import Application, with_application

DECLARATION = {"configurable_features": ["user"], "type": "str", "default_value": "x" * 10_000, "version": "1.0"}


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was queried and not found in the caches."""
    found: list[Any] = []

    def watched(catalog: Any, names: Any) -> Any:
        found.append(names)
        return entries_of(catalog, names)

    monkeypatch.setattr("heksherlite.service.api.query.entries_of", watched)
    return found


async def fill(service: Application) -> None:
    await service.http.post("/api/v1/context_features", json={"context_feature": "user"})
    for name in ("a", "b"):
        response = await service.http.post("/api/v1/settings/declare", json={**DECLARATION, "name": name})
        assert response.status_code < 300, response.text


def content_of(response: httpx.Response) -> tuple[int, dict[str, str], bytes]:
    return response.status_code, dict(response.headers), response.content


@pytest.mark.parametrize("coding", ["identity", "gzip"])
@pytest.mark.parametrize("accept", ["*/*", "application/x-ndjson"])
def test_a_repeated_query_gets_the_same_response(
    coding: str, accept: str, evaluated: list[Any], tmp_path: Path
) -> None:
    """Status, headers and body of the second response are those of the first, until something changes."""
    headers = {"accept-encoding": coding, "accept": accept}

    async def work(service: Application) -> None:
        await fill(service)
        first = await service.http.get("/api/v1/query?settings=a", headers=headers)
        again = await service.http.get("/api/v1/query?settings=a", headers=headers)
        assert content_of(first) == content_of(again)
        assert len(evaluated) == 1
        assert first.headers.get("content-encoding", "identity") == coding
        rule = {"setting": "a", "feature_values": {"user": "john"}, "value": "changed"}
        assert (await service.http.post("/api/v1/rules", json=rule)).status_code == 201
        changed = await service.http.get("/api/v1/query?settings=a", headers=headers)
        assert b"changed" in changed.content
        assert changed.headers["etag"] != first.headers["etag"]

    with_application(tmp_path, work)


def test_what_differs_is_not_a_repetition(evaluated: list[Any], tmp_path: Path) -> None:
    """Other parameters, headers that matter, and tags are evaluated. A query as of a revision is never cached."""
    requests: list[tuple[str, dict[str, str]]] = [
        ("", {}),
        ("?settings=a", {}),
        ("?settings=a&include_metadata=true", {}),
        ("?settings=a", {"accept": "application/x-ndjson"}),
        ("?settings=a", {"accept-encoding": "gzip"}),
        ("?settings=a", {"if-none-match": '"other"'}),
        ("?settings=a", {"if-none-match": '"other"'}),
        ("?settings=a&at=3", {}),
        ("?settings=a&at=3", {}),
    ]

    async def work(service: Application) -> None:
        await fill(service)
        for parameters, headers in requests:
            response = await service.http.get(f"/api/v1/query{parameters}", headers=headers)
            assert response.status_code == 200
        assert len(evaluated) == len(requests)

    with_application(tmp_path, work)


def test_a_body_that_was_dropped_is_built_again(evaluated: list[Any], tmp_path: Path) -> None:
    """The cache of bodies decides how much memory they take. What it dropped is built again."""

    async def work(service: Application) -> None:
        await fill(service)
        first = await service.http.get("/api/v1/query?settings=a")
        service.app.state.context.response_bodies._bodies.clear()
        again = await service.http.get("/api/v1/query?settings=a")
        assert content_of(first) == content_of(again)
        assert len(evaluated) == 2

    with_application(tmp_path, work)
