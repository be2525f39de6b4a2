"""nginx as a cache in front of the service, configured as in ``examples/nginx``."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest

from heksherlite import TRACK_ALL, Setting, ThreadHeksherClient
from heksherlite.service.connections import listen
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.options import AccessOptions, ServiceOptions
from heksherlite.service.server import ServiceThread
from heksherlite.service.storage.urls import open_database
from tests.service.api import FEATURES, Api
from tests.service.nginx import NGINX, nginx
from tests.service.tokens import WITH_TOKENS, make_token
from tests.waiting import until

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(NGINX is None, reason="needs nginx: apt-get install nginx"),
]


class Behind:
    """A service with nginx in front of it."""

    def __init__(self, direct: Api, cached: httpx.Client) -> None:
        self.direct = direct
        self.cached = cached

    def responded(self, status: int) -> float:
        """Return how many queries the service itself has responded to with this status."""
        name = f'heksherlite_http_requests_total{{method="GET",route="/api/v1/query",status="{status}"}}'
        lines = [line for line in self.direct.http.get("/metrics").text.splitlines() if line.startswith(name)]
        return sum(float(line.split()[-1]) for line in lines)

    def query(self, **headers: str) -> httpx.Response:
        response = self.cached.get("/api/v1/query", headers={name.replace("_", "-"): headers[name] for name in headers})
        assert response.status_code in {200, 304}, response.text
        return response


@contextmanager
def behind_nginx(
    folder: Path,
    *,
    max_age: int,
    access: AccessOptions = AccessOptions(),  # noqa: B008
    more: str = "",
) -> Iterator[Behind]:
    """Run the service and nginx. The token of the service is its first one."""
    options = ServiceOptions(context_features=tuple(FEATURES), access=access, cache_max_age=max_age)
    service = ServiceThread(open_database(folder / "settings.db"), listen("127.0.0.1", 0), options)
    service.start()
    try:
        with (
            nginx(folder, service.url, more) as url,
            closing(Api(service.url, token=service.first_token)) as direct,
            httpx.Client(base_url=url, timeout=30) as cached,
        ):
            yield Behind(direct, cached)
    finally:
        service.stop()


def test_a_stored_response_is_shared(tmp_path: Path) -> None:
    """The service receives one request. Other clients get the stored response or 304."""
    with behind_nginx(tmp_path, max_age=3600) as behind:
        behind.direct.declare()
        first = behind.query()
        again = [behind.query() for _ in range(5)]
        assert [first.headers["x-cache-status"], *(response.headers["x-cache-status"] for response in again)] == [
            "MISS",
            *["HIT"] * 5,
        ]
        assert {response.content for response in again} == {first.content}
        unchanged = behind.query(if_none_match=first.headers["etag"])
        assert (unchanged.status_code, unchanged.headers["etag"]) == (304, first.headers["etag"])
        assert behind.responded(200) == 1
        in_lines = behind.query(accept="application/x-ndjson")
        assert in_lines.headers["content-type"] == "application/x-ndjson"
        assert behind.query().content == first.content
        assert behind.responded(200) == 2


def test_an_old_response_is_asked_for_with_its_tag(tmp_path: Path) -> None:
    """An expired response is revalidated with 304, and replaced after a change."""
    with behind_nginx(tmp_path, max_age=1) as behind:
        behind.direct.declare()
        first = behind.query()
        until(lambda: behind.query().headers["x-cache-status"] == "REVALIDATED")
        assert behind.query().content == first.content
        assert (behind.responded(200), behind.responded(304) >= 1) == (1, True)
        behind.direct.add_rule(7, user="john")
        until(lambda: behind.query().headers["etag"] != first.headers["etag"])
        assert behind.query().json()["settings"]["cache_ttl"]["rules"][0]["value"] == 7


def test_nothing_is_stored_by_default(tmp_path: Path) -> None:
    """Without a max-age, each response is the newest."""
    with behind_nginx(tmp_path, max_age=0) as behind:
        behind.direct.declare()
        for value in range(5):
            behind.direct.add_rule(value, user=f"u{value}")
            assert len(behind.query().json()["settings"]["cache_ttl"]["rules"]) == value + 1


def test_responses_after_an_event_are_not_older(tmp_path: Path) -> None:
    """A response after an event of the stream is never older than the event."""
    with behind_nginx(tmp_path, max_age=3600) as behind:
        behind.direct.declare()
        for value in range(3):
            stored = behind.query()
            behind.direct.add_rule(value, user=f"u{value}")
            heard, _, _ = behind.direct.get("query").headers["etag"].strip('"').rpartition("-")
            told = [behind.query(last_event_id=heard) for _ in range(2)]
            assert [response.headers["x-cache-status"] for response in told] == ["MISS", "HIT"]
            assert [len(response.json()["settings"]["cache_ttl"]["rules"]) for response in told] == [value + 1] * 2
            assert behind.query().content == stored.content


def has_value(setting: Setting[int], value: int) -> bool:
    return setting.get(user=f"u{value}") == value


def test_programs_get_changes_through_it(tmp_path: Path) -> None:
    """A client behind the cache declares, listens to the stream, and receives changes before the next poll."""
    ttl = Setting("cache_ttl", int, ["user"], default_value=60)
    with behind_nginx(tmp_path, max_age=3600) as behind:
        client = ThreadHeksherClient(str(behind.cached.base_url), update_interval=3600, context_features=FEATURES)
        client.track_contexts(user=TRACK_ALL)
        with client:
            until(lambda: client.status.streaming)
            for value in range(3):
                behind.direct.call(
                    "POST", "rules", {"setting": "cache_ttl", "feature_values": {"user": f"u{value}"}, "value": value}
                )
                until(partial(has_value, ttl, value))


@pytest.mark.parametrize("careless", ["", "proxy_ignore_headers Cache-Control; proxy_cache_valid 1h;"])
def test_tokens_do_not_mix(tmp_path: Path, careless: str) -> None:
    """A response to one token is never sent to another client, even if the cache stores everything."""
    tokens = {name: make_token(tmp_path / "settings.db", name, Scope.READ, setting_prefix=f"{name}.") for name in "ab"}
    writer = make_token(tmp_path / "settings.db", "admin", *Scope)
    with behind_nginx(tmp_path, max_age=3600, access=WITH_TOKENS, more=careless) as behind:
        behind.direct.http.headers["Authorization"] = f"Bearer {writer}"
        for name in tokens:
            assert behind.direct.declare(f"{name}.x").status_code == 200
        for _ in range(2):
            for name, token in tokens.items():
                for headers in ({"Authorization": f"Bearer {token}"}, {"api_token": token}):
                    response = behind.cached.get("/api/v1/query", headers=headers)
                    assert list(response.json()["settings"]) == [f"{name}.x"]
                    assert careless or response.headers["x-cache-status"] == "MISS"
            assert behind.cached.get("/api/v1/query").status_code == 401
