"""The exceptions that heksherlite defines.

::

    HeksherError
    ├── AdminError              a request of an operator got no useful answer
    │   ├── ServiceUnavailableError     there is no answer, or the service cannot answer now
    │   └── RequestRefusedError         the service refused it
    │       ├── AccessRefusedError      the token does not permit it
    │       └── ChangeConflictsError    it conflicts with what the service has
    ├── FaktsError              facts are not loaded, and loading them is not allowed
    │   ├── NoFaktsFound        there is no current loader                            (also a LookupError)
    │   ├── GroupNotFound       a path does not exist in the loaded facts             (also a LookupError)
    │   ├── FactsShapeError     a group does not fit a model                          (also a ValueError)
    │   └── GrantError          a grant cannot provide its facts
    │       └── RemoteGrantError    an endpoint is unreachable, or its response is invalid
    │           ├── DiscoveryError  during discovery
    │           ├── DemandError     during the request for a token
    │           └── ClaimError      during the request for the facts
    ├── NoMatchError            a context has no value; never raised                  (also a LookupError)
    ├── MissingContextError     a context feature has no argument and no default      (also a RuntimeError)
    ├── ContextValueError       a context value is not text                           (also a TypeError)
    ├── ServiceResponseError    a response of the service does not follow the v1 API  (also a ValueError)
    ├── ServiceStartError       an embedded service cannot start
    ├── SnapshotError           a snapshot is malformed or unusable                   (also a ValueError)
    └── TypeStringError         a wire type such as ``Enum[`` is malformed            (also a ValueError)

An unreachable service, or a response with an error status, raises an :class:`httpx.HTTPError`. An invalid argument
raises a :class:`TypeError` or a :class:`ValueError`.
"""

import reprlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

_MOST_CONFLICTS: Final = 20
"""The number of conflicts that a message contains."""


class HeksherError(Exception):
    """The base class of all exceptions that this package defines."""


class NoMatchError(HeksherError, LookupError):
    """A context has no value.

    The package never raises it, because every setting has a default. It exists for programs that catch it.
    """


class MissingContextError(HeksherError, RuntimeError):
    """A setting was read without a value for a context feature that has no default.

    Attributes:
        setting: The name of the setting.
        features: The context features without a value.
    """

    def __init__(self, setting: str, features: Sequence[str]) -> None:
        super().__init__(setting, features)
        self.setting = setting
        self.features = tuple(features)

    def __str__(self) -> str:
        names = ", ".join(map(repr, self.features))
        arguments = ", ".join(f"{feature}=..." for feature in self.features)
        return (
            f"setting {self.setting!r} was read without a value for context feature {names}: "
            f"pass {arguments} to get(), or give the client a default with set_defaults({arguments})"
        )


class ContextValueError(HeksherError, TypeError):
    """A setting was read with a context value that is neither text nor has one obvious text.

    Attributes:
        setting: The name of the setting.
        feature: The context feature.
        value: The value.
    """

    def __init__(self, setting: str, feature: str, value: object) -> None:
        super().__init__(setting, feature, value)
        self.setting = setting
        self.feature = feature
        self.value = value

    def __str__(self) -> str:
        kind = type(self.value).__name__
        return (
            f"setting {self.setting!r} was read with {self.feature}={reprlib.repr(self.value)}: pass a str, an int, a "
            f"UUID or a member of a str enum; a value of type {kind} has no obvious text"
        )


class ServiceResponseError(HeksherError, ValueError):
    """The service sent a successful response that does not follow the v1 API.

    Attributes:
        request: The request, such as ``GET /api/v1/query``.
        reason: What is wrong with the response, and where.
    """

    def __init__(self, request: str, reason: str) -> None:
        super().__init__(request, reason)
        self.request = request
        self.reason = reason

    def __str__(self) -> str:
        return f"unusable response to {self.request}: {self.reason}"


class ServiceStartError(HeksherError):
    """An embedded service cannot start. The message contains the reason and the remedy."""


class SnapshotError(HeksherError, ValueError):
    """A snapshot of a client's state is malformed or unusable. The message contains the reason."""


class TypeStringError(HeksherError, ValueError):
    """A wire type, such as ``Enum[1,2]``, cannot be parsed."""


class FaktsError(HeksherError):
    """Facts are not loaded, and loading them is not allowed. The message contains the remedy."""


class NoFaktsFound(FaktsError, LookupError):  # noqa: N818 - the name was given
    """There is no current loader: the code runs outside of the ``with`` block of a loader."""


class GroupNotFound(FaktsError, LookupError):  # noqa: N818 - the name was given
    """A path does not exist in the loaded facts.

    Attributes:
        path: The requested path, such as ``group.key``.
        existing: The keys that exist beside the missing one, most similar first.
    """

    def __init__(self, path: str, existing: Sequence[str], reason: str = "") -> None:
        super().__init__(path, existing, reason)
        self.path = path
        self.existing = tuple(existing)
        self.reason = reason

    def __str__(self) -> str:
        nearest = f"the nearest are {', '.join(map(repr, self.existing[:5]))}" if self.existing else "there are none"
        return f"there is no {self.path!r} in the facts ({nearest}){self.reason and '; ' + self.reason}"


class FactsShapeError(FaktsError, ValueError):
    """A group of the facts does not fit a model.

    Attributes:
        path: The group, or ``None`` for all facts.
        problems: The problem of each offending key.
        sources: Where the values of these keys are from, such as a line of a file, as far as it is known.
    """

    def __init__(self, path: str | None, problems: Mapping[str, str], sources: Mapping[str, str] | None = None) -> None:
        super().__init__(path, problems, sources)
        self.path = path
        self.problems = dict(problems)
        self.sources = dict(sources or {})

    def __str__(self) -> str:
        group = "the facts do" if self.path is None else f"group {self.path!r} does"
        lines = (f"\n  {key}: {problem}{self._source(key)}" for key, problem in self.problems.items())
        return f"{group} not fit:{''.join(lines)}"

    def _source(self, key: str) -> str:
        return f" ({self.sources[key]})" if key in self.sources else ""


class GrantError(FaktsError):
    """A grant cannot provide its facts.

    Args:
        message: The problem and its source.
        causes: The errors that caused it.

    Attributes:
        message: The problem and its source.
        causes: The errors that caused it.
        refused: Whether an endpoint or a person refused, so that trying again does not help.
        withdrawn: Whether an endpoint rejected a token that it had granted, so that earlier facts must not be used.
    """

    def __init__(self, message: str, causes: Iterable[Exception] = ()) -> None:
        self.causes = tuple(causes)
        self.refused: bool = any(isinstance(cause, GrantError) and cause.refused for cause in self.causes)
        self.withdrawn: bool = any(isinstance(cause, GrantError) and cause.withdrawn for cause in self.causes)
        super().__init__(message, self.causes)
        self.message = message

    def __str__(self) -> str:
        causes = (f"  - {str(cause) or repr(cause)}".replace("\n", "\n  ") for cause in self.causes)
        return "\n".join((self.message, *causes))


class RemoteGrantError(GrantError):
    """An endpoint is unreachable, or its response is invalid.

    Attributes:
        url: The URL of the request.
        reason: What went wrong.
        certificate_rejected: Whether the certificate of the endpoint was not accepted.
        status: The HTTP status of the response to a request for a stream, or ``None``.
    """

    certificate_rejected = False
    status: int | None = None

    def __init__(self, url: str, reason: str, causes: Iterable[Exception] = ()) -> None:
        super().__init__(f"{url}: {reason}", causes)
        self.args = (url, reason, self.causes)  # pickle calls the class with these
        self.url = url
        self.reason = reason


class DiscoveryError(RemoteGrantError):
    """Discovery found no endpoint."""


class DemandError(RemoteGrantError):
    """The endpoint refused this application a token."""


class ClaimError(RemoteGrantError):
    """The endpoint did not accept the token, or its facts are invalid."""


class AdminError(HeksherError):
    """A request of an operator got no useful answer.

    Attributes:
        request: The request, such as ``POST /api/v1/changes``.
        reason: What went wrong.
    """

    def __init__(self, request: str, reason: str) -> None:
        super().__init__(request, reason)
        self.request = request
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.request}: {self.reason}"


class ServiceUnavailableError(AdminError):
    """There is no answer, or the service cannot answer now. The message tells whether a write may have taken effect."""


class RequestRefusedError(AdminError):
    """The service refused a request. Nothing was changed.

    Attributes:
        request: The request.
        reason: The words of the service.
        status: The HTTP status.
    """

    def __init__(self, request: str, reason: str, status: int) -> None:
        super().__init__(request, reason)
        self.args = (request, reason, status)  # pickle calls the class with these
        self.status = status

    def __str__(self) -> str:
        return f"{self.request} was refused with status {self.status}: {self.reason}"


class AccessRefusedError(RequestRefusedError):
    """The service requires another token, or one with more rights."""


class OperationConflict(NamedTuple):
    """Why an operation cannot be made.

    Attributes:
        operation: The index of the operation in the list, or None if the request has no list.
        reason: The reason.
        setting: The name of the setting that it is about.
        rule_id: The id of the rule that it is about.
    """

    operation: int | None
    reason: str
    setting: str | None = None
    rule_id: int | None = None

    def __str__(self) -> str:
        return self.reason if self.operation is None else f"operations[{self.operation}]: {self.reason}"


class ChangeConflictsError(RequestRefusedError):
    """A request conflicts with what the service has. Nothing was changed.

    Attributes:
        request: The request.
        conflicts: All conflicts, in the order of the operations.
        status: The HTTP status, 409.
    """

    def __init__(self, request: str, conflicts: Sequence[OperationConflict], status: int = 409) -> None:
        lines = [f"\n  {conflict}" for conflict in conflicts[:_MOST_CONFLICTS]]
        more = len(conflicts) - len(lines)
        reason = "".join(lines) + (f"\n  and {more} more conflicts" if more else "")
        super().__init__(request, reason, status)
        self.args = (request, conflicts, status)  # pickle calls the class with these
        self.conflicts = tuple(conflicts)

    def __str__(self) -> str:
        return f"{self.request} has conflicts:{self.reason}"
