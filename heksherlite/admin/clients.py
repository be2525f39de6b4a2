"""The clients for operators: the I/O around the calls."""

import inspect
from collections.abc import Callable, Coroutine, Mapping, Sequence
from threading import Lock
from types import TracebackType
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeVar, get_args

from heksherlite.admin import access_calls, application_calls, calls, export_calls, proposal_calls
from heksherlite.admin.reading import outcome_of
from heksherlite.admin.requests import Call
from heksherlite.admin.results import Record
from heksherlite.admin.watching import Watch
from heksherlite.clients.portal import PortalThread
from heksherlite.engine.messages import Response
from heksherlite.engine.snapshots import LARGEST
from heksherlite.errors import ServiceUnavailableError
from heksherlite.http.failures import is_outage, was_not_sent
from heksherlite.http.sync_adapters import async_http_client_args
from heksherlite.http.transport import ResponseLimits, Transport

P = ParamSpec("P")
T = TypeVar("T")

_CLOSING_SECONDS: Final = 2.0


def _asynchronous(
    build: Callable[P, Call[T]],
) -> "Callable[Concatenate[AsyncAdminClient, P], Coroutine[Any, Any, T]]":
    async def method(self: "AsyncAdminClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.send(build(*args, **kwargs))

    _describe(method, build)
    return method


def _synchronous(build: Callable[P, Call[T]]) -> "Callable[Concatenate[AdminClient, P], T]":
    def method(self: "AdminClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.send(build(*args, **kwargs))

    _describe(method, build)
    return method


def _describe(method: Any, build: Callable[..., Call[Any]]) -> None:
    """Give a method the name, the docstring and the parameters of a function that returns a call, and its result."""
    method.__name__, method.__doc__ = build.__name__, build.__doc__
    signature = inspect.signature(build)
    self_parameter = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    (result,) = get_args(signature.return_annotation)
    method.__signature__ = signature.replace(
        parameters=[self_parameter, *signature.parameters.values()], return_annotation=result
    )


class AsyncAdminClient:
    """Does to a service what an operator does: looks at settings, changes them, and finds out why.

    Use it with ``async with``, on asyncio or trio. Each request has its own connection, and is sent once.

    Args:
        service_url: The URL of the service, such as ``https://settings.example``.
        token: The token to send. None: no token.
        http_client_args: Arguments for :class:`httpx.AsyncClient`.
        response_timeout: The time limit for a complete response, in seconds.

    Raises:
        ValueError: The URL is not the URL of a service, the time limit is not positive, or the token cannot be sent.
    """

    def __init__(
        self,
        service_url: str,
        *,
        token: str | None = None,
        http_client_args: Mapping[str, Any] | None = None,
        response_timeout: float = 300,
    ) -> None:
        limits = ResponseLimits(response_timeout=response_timeout, max_body_size=LARGEST)
        args = {"timeout": response_timeout, **(http_client_args or {})}
        if token is not None:
            headers = args.get("headers") or ()
            items = headers.items() if isinstance(headers, Mapping) else headers
            args["headers"] = [*items, ("Authorization", f"Bearer {token.strip()}")]
        self._transport = Transport(service_url, args, limits, keep_alive=False)

    def __str__(self) -> str:
        return str(self._transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the client."""
        await self._transport.aclose()

    change = _asynchronous(calls.change)
    list_settings = _asynchronous(calls.list_settings)
    setting = _asynchronous(calls.setting)
    schema = _asynchronous(calls.schema)
    rules = _asynchronous(calls.rules)
    rule = _asynchronous(calls.rule)
    explain = _asynchronous(calls.explain)
    history = _asynchronous(calls.history)
    record = _asynchronous(calls.record)
    revert = _asynchronous(calls.revert)
    propose = _asynchronous(proposal_calls.propose)
    list_proposals = _asynchronous(proposal_calls.list_proposals)
    proposal = _asynchronous(proposal_calls.proposal)
    approve = _asynchronous(proposal_calls.approve)
    reject = _asynchronous(proposal_calls.reject)
    withdraw = _asynchronous(proposal_calls.withdraw)
    comment = _asynchronous(proposal_calls.comment)
    context_features = _asynchronous(calls.context_features)
    preview_declaration = _asynchronous(calls.preview_declaration)
    undeclared_settings = _asynchronous(calls.undeclared_settings)
    export = _asynchronous(export_calls.export)
    download_export = _asynchronous(export_calls.download_export)
    import_export = _asynchronous(export_calls.import_export)
    list_tokens = _asynchronous(access_calls.list_tokens)
    create_token = _asynchronous(access_calls.create_token)
    revoke_token = _asynchronous(access_calls.revoke_token)
    rotate_signing_key = _asynchronous(access_calls.rotate_signing_key)
    list_groups = _asynchronous(access_calls.list_groups)
    put_group = _asynchronous(access_calls.put_group)
    delete_group = _asynchronous(access_calls.delete_group)
    list_secrets = _asynchronous(access_calls.list_secrets)
    put_secret = _asynchronous(access_calls.put_secret)
    delete_secret = _asynchronous(access_calls.delete_secret)
    declarers = _asynchronous(access_calls.declarers)
    add_declarer = _asynchronous(access_calls.add_declarer)
    remove_declarer = _asynchronous(access_calls.remove_declarer)
    export_audit = _asynchronous(access_calls.export_audit)
    list_applications = _asynchronous(application_calls.list_applications)
    invite_application = _asynchronous(application_calls.invite_application)
    register_application = _asynchronous(application_calls.register_application)
    open_device_code = _asynchronous(application_calls.open_device_code)
    approve_device_code = _asynchronous(application_calls.approve_device_code)
    deny_device_code = _asynchronous(application_calls.deny_device_code)
    expire_applications = _asynchronous(application_calls.expire_applications)
    rotate_credentials = _asynchronous(application_calls.rotate_credentials)
    revoke_applications = _asynchronous(application_calls.revoke_applications)
    attach_group = _asynchronous(application_calls.attach_group)
    detach_group = _asynchronous(application_calls.detach_group)

    async def watch(self, take: Callable[[Record], object], settings: Sequence[str] | None = None) -> None:
        """Call a function with each change from now on, as the stream of changes announces them.

        Lost connections are made again, and what was missed meanwhile comes then. This needs a token with the scope
        ``read`` and no setting prefix.

        Args:
            take: Called with each record, the oldest first. An exception that it raises ends the watch.
            settings: The names of the settings to watch. None: everything.

        Raises:
            AdminError: The service cannot be reached at the beginning, or refuses the request.
        """
        await Watch(self._transport, self.send, take, settings).run()

    async def send(self, call: Call[T]) -> T:
        """Send a request, and return its result."""
        return call.result(await self._exchange(call))

    async def _exchange(self, call: Call[Any]) -> Response:
        try:
            if call.download is not None:
                return await self._transport.download(call.request, call.download.take)
            if call.file is not None:
                return await self._transport.upload(call.request, call.file)
            return await self._transport.send(call.request)
        except Exception as error:
            if call.download is not None and call.download.failure is not None:
                raise call.download.failure from None
            if not is_outage(error):
                raise
            reason = str(error) if was_not_sent(error) else f"{error}{outcome_of(call.request)}"
            raise ServiceUnavailableError(str(call.request), reason) from error


class AdminClient:
    """Does to a service what an operator does: looks at settings, changes them, and finds out why.

    Use it with ``with``, or call :meth:`close` at the end. It may be used by several threads. Each request has its own
    connection, and is sent once.

    Args:
        service_url: The URL of the service, such as ``https://settings.example``.
        token: The token to send. None: no token.
        http_client_args: Arguments for :class:`httpx.Client`.
        response_timeout: The time limit for a complete response, in seconds.

    Raises:
        ValueError: The URL is not the URL of a service, the time limit is not positive, or the token cannot be sent.
    """

    def __init__(
        self,
        service_url: str,
        *,
        token: str | None = None,
        http_client_args: Mapping[str, Any] | None = None,
        response_timeout: float = 300,
    ) -> None:
        self._client = AsyncAdminClient(
            service_url,
            token=token,
            http_client_args=async_http_client_args(http_client_args),
            response_timeout=response_timeout,
        )
        self._lock = Lock()
        self._portal: PortalThread | None = None

    def __str__(self) -> str:
        return str(self._client)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the client. Requests that are under way end with a RuntimeError."""
        with self._lock:
            portal, self._portal = self._portal, None
        if portal is not None:
            portal.stop(self._client.aclose, _CLOSING_SECONDS)

    change = _synchronous(calls.change)
    list_settings = _synchronous(calls.list_settings)
    setting = _synchronous(calls.setting)
    schema = _synchronous(calls.schema)
    rules = _synchronous(calls.rules)
    rule = _synchronous(calls.rule)
    explain = _synchronous(calls.explain)
    history = _synchronous(calls.history)
    record = _synchronous(calls.record)
    revert = _synchronous(calls.revert)
    propose = _synchronous(proposal_calls.propose)
    list_proposals = _synchronous(proposal_calls.list_proposals)
    proposal = _synchronous(proposal_calls.proposal)
    approve = _synchronous(proposal_calls.approve)
    reject = _synchronous(proposal_calls.reject)
    withdraw = _synchronous(proposal_calls.withdraw)
    comment = _synchronous(proposal_calls.comment)
    context_features = _synchronous(calls.context_features)
    preview_declaration = _synchronous(calls.preview_declaration)
    undeclared_settings = _synchronous(calls.undeclared_settings)
    export = _synchronous(export_calls.export)
    download_export = _synchronous(export_calls.download_export)
    import_export = _synchronous(export_calls.import_export)
    list_tokens = _synchronous(access_calls.list_tokens)
    create_token = _synchronous(access_calls.create_token)
    revoke_token = _synchronous(access_calls.revoke_token)
    rotate_signing_key = _synchronous(access_calls.rotate_signing_key)
    list_groups = _synchronous(access_calls.list_groups)
    put_group = _synchronous(access_calls.put_group)
    delete_group = _synchronous(access_calls.delete_group)
    list_secrets = _synchronous(access_calls.list_secrets)
    put_secret = _synchronous(access_calls.put_secret)
    delete_secret = _synchronous(access_calls.delete_secret)
    declarers = _synchronous(access_calls.declarers)
    add_declarer = _synchronous(access_calls.add_declarer)
    remove_declarer = _synchronous(access_calls.remove_declarer)
    export_audit = _synchronous(access_calls.export_audit)
    list_applications = _synchronous(application_calls.list_applications)
    invite_application = _synchronous(application_calls.invite_application)
    register_application = _synchronous(application_calls.register_application)
    open_device_code = _synchronous(application_calls.open_device_code)
    approve_device_code = _synchronous(application_calls.approve_device_code)
    deny_device_code = _synchronous(application_calls.deny_device_code)
    expire_applications = _synchronous(application_calls.expire_applications)
    rotate_credentials = _synchronous(application_calls.rotate_credentials)
    revoke_applications = _synchronous(application_calls.revoke_applications)
    attach_group = _synchronous(application_calls.attach_group)
    detach_group = _synchronous(application_calls.detach_group)

    def watch(self, take: Callable[[Record], object], settings: Sequence[str] | None = None) -> None:
        """Call a function with each change from now on, as the stream of changes announces them.

        Lost connections are made again, and what was missed meanwhile comes then. This needs a token with the scope
        ``read`` and no setting prefix.

        Args:
            take: Called with each record, the oldest first, in another thread. An exception that it raises ends the
                watch.
            settings: The names of the settings to watch. None: everything.

        Raises:
            AdminError: The service cannot be reached at the beginning, or refuses the request.
        """
        self._running_portal().call(self._client.watch, take, settings)

    def send(self, call: Call[T]) -> T:
        """Send a request, and return its result."""

        async def exchange() -> T:
            return await self._client.send(call)

        return self._running_portal().call(exchange)

    def _running_portal(self) -> PortalThread:
        with self._lock:
            if self._portal is None:
                self._portal = PortalThread()
            return self._portal
