"""GraphQL clients from facts, against a real server with queries, mutations and subscriptions."""

import asyncio
import socket
import threading
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import httpx
import pytest
import uvicorn
from ariadne import MutationType, QueryType, SubscriptionType, make_executable_schema
from ariadne.asgi import GraphQL
from ariadne.asgi.handlers import GraphQLTransportWSHandler
from gql import gql
from gql.transport.exceptions import TransportServerError
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from heksherlite.errors import FactsShapeError, FaktsError
from heksherlite.grants import Fakts, HardGrant, LoadRequest
from heksherlite.integrations.graphql import agraphql_client, graphql_client
from heksherlite.integrations.oauth2 import OAuth2Auth
from tests.grants.endpoint import Scripted, ScriptedEndpoint
from tests.waiting import until

SCHEMA = """
type Query { viewer: String! }
type Mutation { rename(name: String!): String! }
type Subscription { counter(to: Int!): Int! }
"""
QUERY = "query { viewer }"
MUTATION = 'mutation { rename(name: "x") }'


class Server:
    """A GraphQL server that lets in who has the token.

    Attributes:
        url: Its URL.
        failures: The statuses of the next responses.
        requests: The number of requests.
    """

    def __init__(self) -> None:
        self.url = ""
        self.failures: list[int] = []
        self.requests = 0
        query, mutation, subscription = QueryType(), MutationType(), SubscriptionType()
        query.set_field("viewer", lambda *_: "me")
        mutation.set_field("rename", lambda *_, name: name)

        async def count(*_: Any, to: int) -> AsyncGenerator[int, None]:
            for number in range(to):
                await asyncio.sleep(0)
                yield number

        subscription.set_source("counter", count)
        subscription.set_field("counter", lambda number, *_, **__: number)
        schema = make_executable_schema(SCHEMA, query, mutation, subscription)
        handler = GraphQLTransportWSHandler(on_connect=self._let_in)
        self._app = GraphQL(schema, websocket_handler=handler)

    def _let_in(self, _: Any, payload: Any) -> None:
        if payload != {"Authorization": "Bearer access"}:
            raise RuntimeError("who are you?")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.requests += 1
            status = self.failures.pop(0) if self.failures else 200
            if HTTPConnection(scope).headers.get("authorization") != "Bearer access":
                status = 401
            if status != 200:
                await Response(status_code=status)(scope, receive, send)
                return
        await self._app(scope, receive, send)


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    """Run a server that all tests share."""
    server = Server()
    app = Starlette()
    app.mount("/graphql", server)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.url = f"http://127.0.0.1:{listener.getsockname()[1]}/graphql/"
        config = uvicorn.Config(
            app, log_config=None, lifespan="off", timeout_graceful_shutdown=1, ws="websockets-sansio"
        )
        uvicorn_server = uvicorn.Server(config)
        thread = threading.Thread(target=uvicorn_server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        until(lambda: uvicorn_server.started)
        try:
            yield server
        finally:
            uvicorn_server.should_exit = True
            thread.join()


@pytest.fixture
def server(running: Server) -> Server:
    """Return the server as if nothing had happened."""
    running.requests = 0
    running.failures.clear()
    return running


@pytest.fixture
def fakts(server: Server, endpoint: ScriptedEndpoint) -> Fakts:
    """Return facts about a GraphQL endpoint that wants a token."""
    endpoint.script["/token/"] = Scripted({"access_token": "access"})
    credentials = {"base_url": endpoint.url, "client_id": "me", "client_secret": "hunter2"}
    urls = {"endpoint_url": server.url, "ws_endpoint_url": server.url.replace("http", "ws")}
    fakts = Fakts(HardGrant({"graphql": urls, "oauth2": credentials}))
    fakts.load()
    return fakts


def test_synchronous_client(fakts: Fakts) -> None:
    """Queries and mutations are sent to the endpoint of the facts, with authentication."""
    with fakts, graphql_client(auth=OAuth2Auth.from_fakts()) as session:
        assert session.execute(gql(QUERY)) == {"viewer": "me"}
        assert session.execute(gql(MUTATION)) == {"rename": "x"}


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # gql knows no other
@pytest.mark.anyio
async def test_asynchronous_client(fakts: Fakts) -> None:
    """The same works in asynchronous code, and subscriptions have the same authorisation."""
    async with fakts, await agraphql_client(auth=await OAuth2Auth.afrom_fakts()) as session:
        assert await session.execute(gql(QUERY)) == {"viewer": "me"}
        counter = gql("subscription { counter(to: 3) }")
        assert [result["counter"] async for result in session.subscribe(counter)] == [0, 1, 2]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.anyio
async def test_subscription_without_an_address() -> None:
    """The error names the key that is missing."""
    fakts = Fakts(HardGrant({"graphql": {"endpoint_url": "http://127.0.0.1:9/"}}))
    async with await agraphql_client(fakts) as session:
        with pytest.raises(FaktsError, match="ws_endpoint_url"):
            await anext(session.subscribe(gql("subscription { counter(to: 3) }")))


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.anyio
async def test_a_rejected_token_is_renewed(fakts: Fakts, endpoint: ScriptedEndpoint) -> None:
    """A request that the server rejects is sent once more with a new token, by both kinds of clients."""
    for _ in range(2):
        endpoint.script["/token/"] = Scripted({"access_token": "outdated"})
        auth = await OAuth2Auth.afrom_fakts(fakts)
        assert await auth.aget_token() == "outdated"
        endpoint.script["/token/"] = Scripted({"access_token": "access"})
        async with await agraphql_client(fakts, auth=auth) as session:
            assert await session.execute(gql(QUERY)) == {"viewer": "me"}

    def query() -> Any:
        with graphql_client(fakts, auth=OAuth2Auth.from_fakts(fakts)) as session:
            return session.execute(gql(QUERY))

    assert await asyncio.to_thread(query) == {"viewer": "me"}


def test_other_authentication(fakts: Fakts) -> None:
    """Any authentication of httpx signs requests; a server that rejects it says so."""
    client = graphql_client(fakts, auth=httpx.BasicAuth("me", "hunter2"), retries=0)
    with client as session, pytest.raises(TransportServerError, match="401"):
        session.execute(gql(QUERY))


def test_arguments_of_gql(fakts: Fakts) -> None:
    """Arguments of gql go to its client, and those of httpx to its transport."""
    client = graphql_client(
        fakts, auth=OAuth2Auth.from_fakts(fakts), execute_timeout=60, schema=SCHEMA, http_client_args={"timeout": 5}
    )
    assert client.execute_timeout == 60
    assert client.schema is not None
    with client as session:
        transport: Any = session.client.transport
        assert transport.client.timeout.read == 5
        with pytest.raises(Exception, match="Cannot query field 'nothing'"):
            session.execute(gql("query { nothing }"))


def test_retries(fakts: Fakts, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Queries are repeated after temporary failures; mutations, and what stays a failure, are not."""
    monkeypatch.setattr("heksherlite.integrations.graphql.clients._delay", lambda _: 0)
    auth = OAuth2Auth.from_fakts(fakts)
    with graphql_client(fakts, auth=auth) as session:
        server.failures = [503, 502]
        assert session.execute(gql(QUERY)) == {"viewer": "me"}
        assert server.requests == 3
        for document, failures in ((QUERY, [503] * 3), (QUERY, [500]), (MUTATION, [503])):
            server.failures, server.requests = list(failures), 0
            with pytest.raises(TransportServerError):
                session.execute(gql(document))
            assert server.requests == len(failures)


def test_changed_facts(fakts: Fakts, server: Server) -> None:
    """Each request goes to the address in the current facts."""
    facts = {"graphql": {"endpoint_url": "http://127.0.0.1:9/"}}

    async def grant(_: LoadRequest) -> dict[str, Any]:
        return facts

    changing = Fakts(grant)
    changing.load()
    with graphql_client(changing, auth=OAuth2Auth.from_fakts(fakts), retries=0) as session:
        with pytest.raises(Exception, match="refused"):
            session.execute(gql(QUERY))
        facts["graphql"]["endpoint_url"] = server.url
        changing.refresh()
        assert session.execute(gql(QUERY)) == {"viewer": "me"}


@pytest.mark.parametrize(
    "group",
    [
        {},
        {"endpoint_url": 5},
        {"endpoint_url": "hunter2"},
        "hunter2",
        {"endpoint_url": "http://a", "ws_endpoint_url": "http://a"},
    ],
)
def test_groups_without_a_url(group: Any) -> None:
    """The error names the key."""
    with pytest.raises(FactsShapeError, match="graphql") as caught:
        graphql_client(Fakts(HardGrant({"graphql": group})))
    assert len(caught.value.problems) == 1
