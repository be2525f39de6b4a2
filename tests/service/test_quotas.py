"""Quotas: what one client cannot take from the others, and how it is told."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest

from heksherlite.service import AccessOptions, Limits, embedded
from heksherlite.service.api.access_denied import AccessDeniedError
from heksherlite.service.api.quotas import Quotas, client_of
from heksherlite.service.domain.authors import Author
from heksherlite.service.domain.rates import Budget
from heksherlite.service.responses import bodies
from tests.service.api import FEATURES, Api
from tests.service.in_process import Application, with_application
from tests.service.tokens import EVERY_SCOPE, WITH_TOKENS, make_token
from tests.waiting import until

if TYPE_CHECKING:
    from heksherlite.service.api.context import ServiceContext

DECLARATION = {"name": "ttl", "type": "int", "default_value": 1, "configurable_features": ["user"]}
BEHIND_PROXY = AccessOptions(trusted_proxies=(ip_network("127.0.0.1"),))


@contextmanager
def service(folder: Path, access: AccessOptions = WITH_TOKENS, **limits: Any) -> Iterator[dict[str, Api]]:
    """Run a service, and return the clients of two tokens."""
    path = folder / "a.db"
    tokens = {name: make_token(path, name, *EVERY_SCOPE) for name in ("greedy", "modest")}
    with ExitStack() as stack:
        running = stack.enter_context(
            embedded(path, context_features=FEATURES, access=access, limits=replace(Limits(), **limits))
        )
        clients = {name: Api(running.url, token=token) for name, token in tokens.items()}
        for client in clients.values():
            stack.enter_context(client.http)
        yield clients


def is_refusal(response: httpx.Response, *words: str) -> bool:
    """Tell whether a response is 429, with a time to wait and a sentence with some words."""
    detail = response.json()["detail"] if response.status_code == 429 else ""
    return int(response.headers.get("retry-after", 0)) >= 1 and all(word in detail for word in words)


def metric(api: Api, name: str) -> float:
    lines = api.http.get("/metrics").text.splitlines()
    return float(next((line.rpartition(" ")[2] for line in lines if line.startswith(name)), "0"))


def test_other_ways_to_ask_for_the_same_have_the_same_tag_and_body(tmp_path: Path) -> None:
    """Unknown parameters, and the order and repetition of names and values, do not defeat the cache."""

    async def work(service: Application) -> None:
        context: ServiceContext = service.app.state.context
        await service.http.post("/api/v1/context_features", json={"context_feature": "user"})
        await service.http.post("/api/v1/context_features", json={"context_feature": "theme"})
        for name in ("a", "b"):
            await service.http.post("/api/v1/settings/declare", json={**DECLARATION, "name": name})
        queries = [f"settings=a,b&context_filters=user:(x,y),theme:*&junk={number}" for number in range(20)]
        queries += [
            "settings=b,a,b&context_filters=theme:*,user:(y,x)",
            "context_filters=user:(x,y),theme:*&settings=a%2Cb",
        ]
        tags = {(await service.http.get(f"/api/v1/query?{query}")).headers["etag"] for query in queries}
        assert len(tags) == 1
        assert list(context.response_bodies._bodies) == [*tags]
        for query in queries:
            again = await service.http.get(f"/api/v1/query?{query}", headers={"if-none-match": next(iter(tags))})
            assert again.status_code == 304
        assert len(context.not_modified._headers) == 2
        others = ["settings=a", "settings=a,b", "settings=a,b&context_filters=user:(x),theme:*", "settings=a,b&at=4"]
        for query in others:
            tags.add((await service.http.get(f"/api/v1/query?{query}")).headers["etag"])
        assert len(tags) == 1 + len(others)

    with_application(tmp_path, work)


def test_a_large_body_is_built_once_and_off_the_event_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests for the same large body wait for one thread, and a request that goes away does not stop it."""
    threads: list[int] = []
    build = bodies._rule_fragments

    def watched(*args: Any, **options: Any) -> list[bytes]:
        threads.append(threading.get_ident())
        return build(*args, **options)

    monkeypatch.setattr(bodies, "_rule_fragments", watched)

    async def work(service: Application) -> None:
        await service.http.post("/api/v1/context_features", json={"context_feature": "user"})
        await service.http.post("/api/v1/settings/declare", json=DECLARATION)
        rules = [
            {"op": "add_rule", "setting": "ttl", "feature_values": {"user": str(number)}, "value": number}
            for number in range(2_000)
        ]
        assert (await service.http.post("/api/v1/changes", json={"operations": rules})).status_code == 200
        gone = asyncio.create_task(service.http.get("/api/v1/query"))
        await asyncio.sleep(0)
        answers = [asyncio.create_task(service.http.get("/api/v1/query?junk=1")) for _ in range(4)]
        gone.cancel()
        assert {len((await answer).json()["settings"]["ttl"]["rules"]) for answer in answers} == {2_000}
        assert len(threads) == 1
        assert threads[0] != threading.get_ident()

    with_application(tmp_path, work)


def test_reads_in_progress_are_limited_by_client(tmp_path: Path) -> None:
    """A client that does not read its responses is refused more of them, while others are answered."""
    with service(tmp_path, max_reads_per_client=2) as clients, ExitStack() as stack:
        greedy, modest = clients["greedy"], clients["modest"]
        greedy.declare("large", type="str", default_value="")
        for number in range(80):
            greedy.add_rule("x" * 200_000, setting="large", user=str(number))
        url = urlsplit(str(greedy.http.base_url))
        token = greedy.http.headers["authorization"]
        for _ in range(2):
            connection = stack.enter_context(socket.create_connection((url.hostname or "", url.port or 0)))
            connection.sendall(f"GET /api/v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n".encode())
            connection.recv(1_000)
        until(lambda: metric(modest, "heksherlite_reads_in_progress ") == 3)  # and this one
        assert is_refusal(greedy.get("query", settings="large"), "quota", "2 reads are in progress")
        assert greedy.declare("other").status_code == 200
        assert modest.get("query", settings="large").status_code == 200
        assert metric(modest, 'heksherlite_refused_by_quota_total{quota="reads"}') == 1
        stack.close()
        until(lambda: greedy.get("query", settings="large").status_code == 200)


def test_streams_are_limited_by_client(tmp_path: Path) -> None:
    """One token does not take all streams; a stream that ends makes room."""
    with service(tmp_path, max_streams_per_client=2) as clients, ExitStack() as stack:
        greedy, modest = clients["greedy"], clients["modest"]
        for _ in range(2):
            first = stack.enter_context(greedy.http.stream("GET", "/api/v1/stream"))
            assert first.status_code == 200
        assert is_refusal(greedy.get("stream"), "2 streams are open")
        with modest.http.stream("GET", "/api/v1/stream") as other:
            assert other.status_code == 200
        assert metric(modest, 'heksherlite_refused_by_quota_total{quota="streams"}') == 1
        stack.close()
        until(lambda: _opens(greedy))


def _opens(api: Api) -> bool:
    with api.http.stream("GET", "/api/v1/stream") as stream:
        return stream.status_code == 200


def test_history_is_limited_by_client(tmp_path: Path) -> None:
    """A client whose changes are large waits, while others write and it reads; the metrics tell both."""
    with service(tmp_path, history_bytes_per_second=1_000) as clients:
        greedy, modest = clients["greedy"], clients["modest"]
        greedy.declare("large", type="str", default_value="")
        greedy.add_rule("x" * 100_000, setting="large", user="a")
        refused = greedy.call("POST", "rules", {"setting": "large", "feature_values": {"user": "b"}, "value": ""})
        assert is_refusal(refused, "1000 bytes per second", "smaller changes")
        assert int(refused.headers["retry-after"]) > 30
        assert greedy.get("query", settings="large").status_code == 200
        assert modest.add_rule("", setting="large", user="b")
        assert metric(modest, 'heksherlite_refused_by_quota_total{quota="history"}') == 1
        assert metric(modest, "heksherlite_history_bytes_total") > 100_000


def test_without_tokens_networks_are_counted(tmp_path: Path) -> None:
    """Two addresses of one IPv6 /64 are one client, and another network is another one."""
    with service(tmp_path, BEHIND_PROXY, history_bytes_per_second=1_000) as clients:
        api = clients["modest"]

        def declare(name: str, address: str, default: str = "") -> int:
            body = {**DECLARATION, "name": name, "type": "str", "default_value": default}
            return api.call("POST", "settings/declare", body, headers={"X-Forwarded-For": address}).status_code

        assert declare("a", "2001:db8::1", "x" * 100_000) == 200
        assert declare("b", "2001:db8::2") == 429
        assert declare("b", "2001:db8:0:1::1") == 200


def test_a_budget_is_paid_back_over_time() -> None:
    """What is used beyond it is a debt; nobody saves more than a burst."""
    budget = Budget(per_second=10, burst=100)
    assert budget.wait("a", 0) == 0
    budget.spend("a", 150, 0)
    assert budget.wait("a", 0) == 5
    assert budget.wait("a", 5) == 0
    assert budget.wait("b", 0) == 0
    budget.spend("b", 1, 1_000)
    budget.spend("b", 109, 1_000)
    assert budget.wait("b", 1_000) == 1


def test_a_client_gets_a_share_of_the_streams() -> None:
    """However many streams a client may have, a quarter of what the process has room for is left to others."""
    quotas = Quotas(Limits())
    quotas.max_streams = 4
    client = client_of(Author("token", "ci", "10.0.0.1", "hkl_01234567"))
    scopes: list[dict[str, Any]] = [{"state": {}} for _ in range(4)]
    for scope in scopes[:3]:
        quotas.hold_stream(scope, client)
    with pytest.raises(AccessDeniedError, match="3 streams are open"):
        quotas.hold_stream(scopes[3], client)
    quotas.hold_stream(scopes[3], client_of(Author("token", "other", "10.0.0.1", "hkl_89abcdef")))
    for scope in scopes:
        quotas.release(scope)
    assert not quotas._used["streams"]
