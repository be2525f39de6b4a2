"""The provider: resolves flags from memory, and tells the SDK what happens to them."""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, Literal, TypeVar, cast

from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEventDetails
from openfeature.exception import ErrorCode, ProviderNotReadyError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType, Reason
from openfeature.provider import AbstractProvider, Metadata

from heksherlite.clients.async_client import AsyncHeksherClient
from heksherlite.clients.thread_client import ThreadHeksherClient
from heksherlite.engine.feature_names import check_features
from heksherlite.errors import ContextValueError, MissingContextError
from heksherlite.flags import (
    Flag,
    FlagContextError,
    as_boolean,
    as_float,
    as_integer,
    as_object,
    as_string,
    evaluate,
    given_context,
    missing_context,
)
from heksherlite.integrations.openfeature.standalone import StandaloneClient
from heksherlite.names import nearest_name

T = TypeVar("T")

_NOT_FOUND: Final = 1000
"""The maximum number of unknown flags for which the text of the error is kept."""

_REASONS: Final = {
    "STATIC": Reason.STATIC,
    "DEFAULT": Reason.DEFAULT,
    "TARGETING_MATCH": Reason.TARGETING_MATCH,
}


class HeksherProvider(AbstractProvider):
    """Resolves feature flags from the settings of a service, in process and without I/O.

    A flag is any setting of the service, by its name or an alias, declared by this program or not. The provider
    declares nothing. The values of attributes that are context features of the setting are its context. What is
    missing is completed with the defaults of the client.

    Args:
        client: The client that keeps the flags up to date. It also determines which rules are known, by what it tracks.
        url: The URL of the service, instead of a client. The provider then has a client of its own, which tracks every
            context feature, from ``initialize`` to ``shutdown``.
        targeting_key_feature: The context feature whose value is the targeting key.
        startup_timeout: The seconds that ``initialize`` waits for the first update.
        client_options: Arguments of :class:`~heksherlite.ThreadHeksherClient` for the client of its own, such as
            ``update_interval`` and ``http_client_args``.

    Raises:
        TypeError: If there are both a client and a URL, or neither, or there are ``client_options`` with a client.
        ValueError: If ``targeting_key_feature`` looks like a misspelled context feature of the client.
    """

    def __init__(
        self,
        client: AsyncHeksherClient | ThreadHeksherClient | None = None,
        *,
        url: str | None = None,
        targeting_key_feature: str | None = None,
        startup_timeout: float = 10,
        **client_options: Any,
    ) -> None:
        super().__init__()
        if (client is None) == (url is None):
            raise TypeError("HeksherProvider needs either a client or a url")
        if client is not None and not isinstance(client, AsyncHeksherClient | ThreadHeksherClient):
            raise TypeError(f"HeksherProvider needs a client, or url=..., not {client!r}")
        if client is not None and targeting_key_feature is not None:
            check_features([targeting_key_feature], client._engine.context_features)
        if client is not None and client_options:
            raise TypeError(f"only with a url, HeksherProvider has the options {', '.join(client_options)}")
        self._own_client: StandaloneClient | None = None
        if url is not None:
            client = self._own_client = StandaloneClient(url, startup_timeout=startup_timeout, **client_options)
        assert client is not None  # noqa: S101 - says it to the type checker
        self._client = client
        self._all_settings = client._follow_all_settings()
        self._targeting_key_feature = targeting_key_feature
        self._startup_timeout = startup_timeout
        self._lock = threading.Lock()
        self._told: Literal["nothing", "initializing", "ready", "stale", "error"] = "nothing"
        self._updated = threading.Event()
        self._not_found: dict[str, str] = {}

    def get_metadata(self) -> Metadata:
        """Return the name of the provider."""
        return Metadata(name="heksherlite")

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        """Wait until the flags are known. The SDK calls this.

        Raises:
            ProviderNotReadyError: If they are not known within the ``startup_timeout``, or the client runs in the event
                loop that this call blocks. The provider becomes ready as soon as they are known all the same.
        """
        del evaluation_context
        with self._lock:
            self._told = "initializing"
            if self not in self._all_settings.observers:
                self._all_settings.observers += (self,)
        if self._own_client is not None and not self._own_client.is_live:
            self._own_client.set_as_main()
        self._client._wake()
        background = self._client._background
        blocks = self._own_client is None and background is not None and not background.is_of_other_loop
        if not self._all_settings.is_loaded:
            self._updated.wait(0 if blocks else self._startup_timeout)
        with self._lock:
            self._told = "ready" if self._all_settings.is_loaded else "error"
        if not self._all_settings.is_loaded:
            error = self._client.status.last_error
            reason = f": {error!r}" if error is not None else ""
            if blocks:
                reason = ": the client runs in this event loop, so call set_provider, which does not wait"
            elif not self._client.is_live:
                reason = f": {self._client!r} is not running; call set_as_main() first"
            raise ProviderNotReadyError(f"the flags of {self._client._transport} are not known yet{reason}")

    def shutdown(self) -> None:
        """Stop following the flags. The SDK calls this. A client of the program stays as it is."""
        with self._lock:
            self._told = "nothing"
            self._all_settings.observers = tuple([other for other in self._all_settings.observers if other is not self])
        if self._own_client is not None:
            self._own_client.close()

    def updated(self, names: Collection[str]) -> None:
        """Tell the SDK of an update."""
        self._updated.set()
        if names:
            self._not_found.clear()
        with self._lock:
            told = self._told
            if told in {"stale", "error"}:
                self._told = "ready"
        if told in {"stale", "error"}:
            self.emit_provider_ready(ProviderEventDetails())
        if names and told in {"stale", "error", "ready"}:
            self.emit_provider_configuration_changed(ProviderEventDetails(flags_changed=sorted(names)))

    def failed(self, error: Exception) -> None:
        """Tell the SDK of an update that failed, if the one before did not."""
        with self._lock:
            told = self._told
            if told != "ready":
                return
            self._told = "stale"
        self.emit_provider_stale(ProviderEventDetails(message=f"the flags cannot be updated: {error!r}"))

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """Resolve a flag of type ``bool``."""
        return self._resolve("a boolean", as_boolean, flag_key, default_value, evaluation_context)

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """Resolve a flag of type ``str``, or an Enum of strings."""
        return self._resolve("a string", as_string, flag_key, default_value, evaluation_context)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """Resolve a flag of type ``int``, or of type ``float`` if its value has no fraction."""
        return self._resolve("an integer", as_integer, flag_key, default_value, evaluation_context)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """Resolve a flag of type ``float`` or ``int``."""
        return self._resolve("a float", as_float, flag_key, default_value, evaluation_context)

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        """Resolve a flag of type ``Flags``, ``Sequence``, ``Mapping`` or ``Json``."""
        return self._resolve("an object", as_object, flag_key, default_value, evaluation_context)

    def _resolve(
        self,
        kind: str,
        convert: Callable[[Flag, Any], T | None],
        key: str,
        default_value: T,
        evaluation_context: EvaluationContext | None,
    ) -> FlagResolutionDetails[T]:
        client = self._client
        client._notice_fork()
        flags = self._all_settings.flags.get()
        flag = flags.by_name.get(key)
        if flag is None:
            return self._unresolved(key, default_value)
        try:
            context = self._context(flag, evaluation_context) if flag.rules.shapes else ()
        except FlagContextError as error:
            return _error(default_value, ErrorCode(error.code), str(error))
        evaluation = evaluate(flag, context)
        value = convert(flag, evaluation.value)
        if value is None:
            text = f"flag {flag.key!r} has the type {flag.wire_type}, and its value {evaluation.value!r} is not {kind}"
            return _error(default_value, ErrorCode.TYPE_MISMATCH, text)
        metadata: dict[str, bool | int | float | str] = {"setting_version": flag.version}
        if flags.revision is not None:
            metadata["revision"] = flags.revision
        if evaluation.rule_id is not None:
            metadata["rule_id"] = evaluation.rule_id
        is_fresh = client._current_state == "fresh" and self._told != "stale"
        reason = _REASONS[evaluation.reason] if is_fresh else Reason.STALE
        return FlagResolutionDetails(value, None, None, reason, evaluation.variant, metadata)

    def _context(self, flag: Flag, evaluation_context: EvaluationContext | None) -> Sequence[Any]:
        """Return the whole context for a flag.

        Raises:
            FlagContextError: If a value is missing, or has no obvious text.
        """
        feature = self._targeting_key_feature
        attributes: Mapping[str, Any] = {}
        targeting_key = None
        if evaluation_context is not None:
            attributes, targeting_key = evaluation_context.attributes, evaluation_context.targeting_key
        contexts = self._client._engine.options.contexts(flag.rules.features)
        given = given_context(flag, attributes, targeting_key, feature)
        try:
            context = cast("Sequence[Any]", contexts.complete(flag.key, given))  # texts are plain strings
        except MissingContextError as error:
            raise missing_context(flag, error.features, feature) from None
        except ContextValueError as error:
            raise FlagContextError("INVALID_CONTEXT", str(error)) from None
        if contexts.limits:
            contexts.warn_of_untracked(context)
        return context

    def _unresolved(self, key: str, default_value: T) -> FlagResolutionDetails[T]:
        if not self._all_settings.is_loaded:
            text = f"the flags of {self._client._transport} are not known yet"
            return _error(default_value, ErrorCode.PROVIDER_NOT_READY, text)
        text = f"the service has no setting {key!r}"
        if key not in self._not_found:  # the search takes milliseconds
            if len(self._not_found) >= _NOT_FOUND:
                self._not_found.clear()
            nearest = nearest_name(key, self._all_settings.flags.newest.by_name)
            self._not_found[key] = f"{text}; did you mean {nearest!r}?" if nearest is not None else text
        return _error(default_value, ErrorCode.FLAG_NOT_FOUND, self._not_found.get(key, text))


def _error(default_value: T, code: ErrorCode, text: str) -> FlagResolutionDetails[T]:
    return FlagResolutionDetails(default_value, error_code=code, error_message=text, reason=Reason.ERROR)
