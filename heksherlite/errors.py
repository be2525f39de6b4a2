"""Every exception that heksherlite raises by itself.

::

    HeksherError
    ├── NoMatchError            there is no value for a context; never raised         (also a LookupError)
    ├── MissingContextError     a context feature has neither argument nor default    (also a RuntimeError)
    ├── ServiceAnswerError      the service answered something that is not the v1 API (also a ValueError)
    ├── ServiceStartError       a service that was to be run here cannot start
    ├── SnapshotError           bytes are no snapshot, or none that can be used       (also a ValueError)
    └── TypeStringError         a wire type such as ``Enum[`` is malformed            (also a ValueError)

A service that is unreachable, or answers with an error status, is an :class:`httpx.HTTPError`. Wrong arguments are
what they are in all of Python: :class:`TypeError` and :class:`ValueError`.
"""

from collections.abc import Sequence


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


class ServiceAnswerError(HeksherError, ValueError):
    """The service answered with success, but not with what the v1 API says.

    Attributes:
        request: What was asked for, such as ``GET /api/v1/query``.
        reason: What was wrong with the answer, and where.
    """

    def __init__(self, request: str, reason: str) -> None:
        super().__init__(request, reason)
        self.request = request
        self.reason = reason

    def __str__(self) -> str:
        return f"unusable answer to {self.request}: {self.reason}"


class ServiceStartError(HeksherError):
    """A service that was to be run here cannot start; the message says why and what to do."""


class SnapshotError(HeksherError, ValueError):
    """Bytes are not a snapshot of a client's state, or not one that can be used; the message says why."""


class TypeStringError(HeksherError, ValueError):
    """A wire type, such as ``Enum[1,2]``, could not be parsed."""
