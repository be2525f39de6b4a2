"""Headers for the caches between clients and the service."""

from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest

from heksherlite.service.domain.tokens import Scope
from heksherlite.service.options import AccessOptions
from tests.service.in_process import Application, with_application
from tests.service.tokens import WITH_TOKENS, make_token

EVERYBODY = "accept, accept-encoding, a-im, last-event-id"


def directives(response: httpx.Response) -> set[str]:
    return {directive.strip() for directive in response.headers["cache-control"].split(",")}


@pytest.mark.parametrize(("max_age", "expected"), [(0, {"no-cache"}), (5, {"max-age=5"})])
def test_caches_may_share_what_everybody_gets(tmp_path: Path, max_age: int, expected: set[str]) -> None:
    """Without tokens, shared caches may store responses, 304 included, for the configured time."""

    async def look(made: Application) -> None:
        response = await made.http.get("/api/v1/query")
        unchanged = await made.http.get("/api/v1/query", headers={"If-None-Match": response.headers["etag"]})
        assert [response.status_code, unchanged.status_code] == [200, 304]
        assert directives(response) == directives(unchanged) == expected
        assert response.headers["vary"] == unchanged.headers["vary"] == EVERYBODY
        assert response.headers["etag"] == unchanged.headers["etag"]

    with_application(tmp_path, look, cache_max_age=max_age)


@pytest.mark.parametrize(("max_age", "expected"), [(0, {"private", "no-cache"}), (5, {"private", "max-age=5"})])
def test_caches_must_not_share_what_a_token_gets(tmp_path: Path, max_age: int, expected: set[str]) -> None:
    """With tokens, only the cache of the client may store responses, and each belongs to its token."""
    token = make_token(tmp_path / "in_process.db", "reader", Scope.READ)

    async def look(made: Application) -> None:
        for headers in ({"Authorization": f"Bearer {token}"}, {"api_token": token}):
            response = await made.http.get("/api/v1/query", headers=headers)
            assert response.status_code == 200
            assert directives(response) == expected
            assert response.headers["vary"] == f"{EVERYBODY}, authorization, api_token"
        past = await made.http.get("/api/v1/query?at=0", headers=headers)
        assert "private" in directives(past)

    with_application(tmp_path, look, access=WITH_TOKENS, cache_max_age=max_age)


def test_only_responses_to_queries_are_for_caches(tmp_path: Path) -> None:
    """Responses without a tag, and errors, are not stored by shared caches."""

    async def look(made: Application) -> None:
        paths = (
            "settings",
            "context_features",
            "rules/7",
            "history",
            "query?settings=nope",
            "query?context_filters=a:",
        )
        for path in (*(f"/api/v1/{path}" for path in paths), "/api/health", "/api/ready", "/metrics", "/docs", "/no"):
            assert directives(await made.http.get(path)) == {"private", "no-cache"}, path

    with_application(tmp_path, look, cache_max_age=5)


@pytest.mark.parametrize("max_age", [0, 5])
def test_responses_as_of_a_revision_are_immutable(tmp_path: Path, max_age: int) -> None:
    """A response as of a named revision never changes. A number alone may name another state after a restore."""

    async def look(made: Application) -> None:
        await made.http.post("/api/v1/context_features", json={"context_feature": "f"})
        kept = {"max-age=86400", "immutable"} | (set() if max_age else {"private"})
        by_number = await made.http.get("/api/v1/query?at=1")
        name, _, _ = by_number.headers["etag"].strip('"').rpartition("-")
        assert directives(await made.http.get(f"/api/v1/query?at={name}")) == kept
        assert directives(by_number) == directives(await made.http.get("/api/v1/query"))

    with_application(tmp_path, look, cache_max_age=max_age)


def test_caches_must_not_share_what_a_proxy_guards(tmp_path: Path) -> None:
    """If a proxy identifies people, a cache in front of it could send their responses to others."""
    access = AccessOptions(trust_user_header="X-User", trusted_proxies=(ip_network("10.0.0.0/8"),))

    async def look(made: Application) -> None:
        assert directives(await made.http.get("/api/v1/query")) == {"private", "max-age=5"}
        assert "private" in directives(await made.http.get("/api/v1/query?at=0"))

    with_application(tmp_path, look, access=access, cache_max_age=5)
