"""Every exception that heksherlite raises by itself.

::

    HeksherError
    ├── FaktsError              facts are not loaded, and may not be loaded here and now
    │   ├── NoFaktsFound        there is no current loader here                       (also a LookupError)
    │   ├── GroupNotFound       the loaded facts do not have a path                   (also a LookupError)
    │   ├── FactsShapeError     a group does not fit a model                          (also a ValueError)
    │   └── GrantError          a grant cannot give its facts
    │       └── RemoteGrantError    an endpoint cannot be reached, or does not answer what it should
    │           ├── DiscoveryError  when it was looked for
    │           ├── DemandError     when it was asked for a token
    │           └── ClaimError      when it was asked for the facts
    ├── NoMatchError            there is no value for a context; never raised         (also a LookupError)
    ├── MissingContextError     a context feature has neither argument nor default    (also a RuntimeError)
    ├── ServiceResponseError    a response of the service does not follow the v1 API   (also a ValueError)
    ├── ServiceStartError       a service that was to be run here cannot start
    ├── SnapshotError           bytes are no snapshot, or none that can be used       (also a ValueError)
    └── TypeStringError         a wire type such as ``Enum[`` is malformed            (also a ValueError)

A service that is unreachable, or answers with an error status, is an :class:`httpx.HTTPError`. Wrong arguments are
what they are in all of Python: :class:`TypeError` and :class:`ValueError`.
"""

from collections.abc import Iterable, Mapping, Sequence


class HeksherError(Exception):
    """The base of every exception of this package."""


class NoMatchError(HeksherError, LookupError):
    """There is no value for a context.

    For programs that catch it: a setting always has a default, so nothing raises it.
    """


class MissingContextError(HeksherError, RuntimeError):
    """A setting was read without a value for one of its context features, and the client has no default for it.

    Attributes:
        setting: The name of the setting.
        features: The context features that have no value.
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
    """A service that was to be run here cannot start; the message says why and what to do."""


class SnapshotError(HeksherError, ValueError):
    """Bytes are not a snapshot of a client's state, or not one that can be used; the message says why."""


class TypeStringError(HeksherError, ValueError):
    """A wire type, such as ``Enum[1,2]``, could not be parsed."""


class FaktsError(HeksherError):
    """Facts are not loaded, and may not be loaded here and now; the message says what to do."""


class NoFaktsFound(FaktsError, LookupError):  # noqa: N818 - the name was given
    """The code runs outside of every ``with`` block of a loader."""


class GroupNotFound(FaktsError, LookupError):  # noqa: N818 - the name was given
    """The loaded facts do not have what was asked for.

    Attributes:
        path: What was asked for, such as ``group.key``.
        existing: The keys where the path leaves what exists, those most like the missing one first.
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
    """A group of the facts does not fit what it was to become.

    Attributes:
        path: The group.
        problems: What is wrong, by the offending key.
    """

    def __init__(self, path: str | None, problems: Mapping[str, str]) -> None:
        super().__init__(path, problems)
        self.path = path
        self.problems = dict(problems)

    def __str__(self) -> str:
        group = "the facts do" if self.path is None else f"group {self.path!r} does"
        lines = "".join(f"\n  {key}: {problem}" for key, problem in self.problems.items())
        return f"{group} not fit:{lines}"


class GrantError(FaktsError):
    """A grant cannot give its facts.

    Args:
        message: What went wrong, and with which source.
        causes: What it was caused by, if by several errors.

    Attributes:
        causes: The same.
    """

    def __init__(self, message: str, causes: Iterable[Exception] = ()) -> None:
        self.causes = tuple(causes)
        super().__init__(message, self.causes)
        self.message = message

    def __str__(self) -> str:
        causes = (f"  - {str(cause) or repr(cause)}".replace("\n", "\n  ") for cause in self.causes)
        return "\n".join((self.message, *causes))


class RemoteGrantError(GrantError):
    """An endpoint cannot be reached, or does not answer what it should.

    Attributes:
        url: The address that was asked.
        reason: What went wrong there.
    """

    def __init__(self, url: str, reason: str, causes: Iterable[Exception] = ()) -> None:
        super().__init__(f"{url}: {reason}", causes)
        self.args = (url, reason, self.causes)  # for pickle, which calls the class with them
        self.url = url
        self.reason = reason


class DiscoveryError(RemoteGrantError):
    """No endpoint was found that gives facts."""


class DemandError(RemoteGrantError):
    """The endpoint gave no token to this application."""


class ClaimError(RemoteGrantError):
    """The endpoint gave no facts for a token."""
