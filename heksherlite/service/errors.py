"""Every exception that the service raises by itself.

::

    ServiceError
    ├── RequestError                    a request cannot be carried out; nothing has changed
    │   ├── BadRequestError             it contradicts itself, or what it refers to
    │   ├── InvalidError                a field or parameter is malformed
    │   ├── NotFoundError               it names something that does not exist
    │   ├── NotPermittedError           the one who makes it may not do this
    │   ├── PreconditionFailedError     what it changes is not what its author has seen
    │   ├── ConflictError               it contradicts what is stored
    │   │   ├── TakesTooLongError       it would keep others from writing for too long
    │   │   ├── TooManyChangesError     what it refers to changed more than one write may
    │   │   ├── ConflictsError          in several ways, all of which are listed
    │   │   ├── OperationConflictsError     some of its operations do, and all of them are listed
    │   │   └── DeclarationConflictError    a declaration contradicts the stored settings
    │   │       └── DifferencesError    in ways that its version does not allow
    │   ├── TooLargeError               it would store something too large
    │   └── OutsidePrefixError          it names a setting that its token is not limited to
    ├── AccessDeniedError               a request is not authorized        (in `heksherlite.service.api.access_denied`)
    ├── DatabaseUnavailableError        the database cannot be used; nothing was written
    │   ├── DatabaseBusyError           another write takes long
    │   ├── DatabaseMovedError          its file was moved, removed or replaced
    │   ├── InterruptedWriteError       a transaction was interrupted; trying again may help
    │   ├── UnknownOutcomeError         the connection was lost during a commit
    │   └── NotCaughtUpError            a newer revision is known, and cannot be read
    ├── IdentityProviderError           the identity provider did not identify a person
    │   └── IdentityProviderUnavailableError    it cannot be reached, or does not describe itself
    ├── ExportError                     a file is not an export that can be imported            (also a ValueError)
    └── NotEmptyError                   a database has settings already

A service that cannot start raises :class:`heksherlite.errors.ServiceStartError`. What each exception means to a client
of the API is decided in `heksherlite.service.api`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

Outcome: TypeAlias = Literal["mismatch", "rejected"]


class ServiceError(Exception):
    """The base of every exception of the service."""


class RequestError(ServiceError):
    """A well-formed request cannot be carried out. Nothing has changed.

    Args:
        message: What is wrong.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadRequestError(RequestError):
    """The request contradicts itself, or what it refers to."""


class InvalidError(RequestError):
    """A field of the body, or a parameter of the query, is malformed.

    Args:
        message: What is wrong.
        location: ``body`` or ``query``, then the name of the field or parameter.
    """

    def __init__(self, message: str, *, location: tuple[str, ...]) -> None:
        super().__init__(message)
        self.location = location


class NotFoundError(RequestError):
    """The request names something that does not exist."""


class PreconditionFailedError(RequestError):
    """What the request changes is not what its author has seen: it was changed meanwhile."""


class NotPermittedError(RequestError):
    """The author of the request may not do what it requests.

    Args:
        message: What is wrong.
        needed_scope: The scope that the author would need, if it is one.
    """

    def __init__(self, message: str, *, needed_scope: str | None = None) -> None:
        super().__init__(message)
        self.needed_scope = needed_scope


class ConflictError(RequestError):
    """The request contradicts what is stored."""


class ConflictsError(ConflictError):
    """The request contradicts what is stored in one or more ways.

    Args:
        conflicts: Each of them.
    """

    def __init__(self, conflicts: Sequence[str]) -> None:
        super().__init__("; ".join(conflicts))
        self.conflicts = list(conflicts)


class OperationConflictsError(ConflictError):
    """Some operations of a list contradict what is stored, or what others changed meanwhile.

    Args:
        conflicts: Each conflict, as JSON.
    """

    def __init__(self, conflicts: Sequence[Mapping[str, Any]]) -> None:
        super().__init__("; ".join(str(conflict["reason"]) for conflict in conflicts))
        self.conflicts = list(conflicts)


class TakesTooLongError(ConflictError):
    """The request would keep others from writing for too long.

    Args:
        seconds: How long it was tried.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"this takes longer than {seconds:g} s, and nobody else could write meanwhile")


class TooManyChangesError(ConflictError):
    """A revision changed more than one write may.

    Args:
        revision: The revision.
        count: How many settings and rules it changed.
    """

    def __init__(self, revision: int, count: int) -> None:
        super().__init__(f"revision {revision} changed {count} settings and rules")


class DeclarationConflictError(ConflictError):
    """A declaration contradicts the stored settings."""


class DifferencesError(DeclarationConflictError):
    """A declaration differs from the stored setting in ways that its version does not allow.

    Args:
        outcome: ``mismatch`` if the version is the stored one, ``rejected`` if it is higher.
        differences: Each difference, as JSON.
        previous_version: The stored version, if the declared one is higher.
        missing_right: Which right to upgrade the setting is missing, for people, if one is.
    """

    def __init__(
        self,
        outcome: Outcome,
        differences: Sequence[Mapping[str, Any]],
        *,
        previous_version: str | None = None,
        missing_right: str | None = None,
    ) -> None:
        super().__init__(f"the declaration is a {outcome}: {list(differences)}")
        self.outcome = outcome
        self.differences = list(differences)
        self.previous_version = previous_version
        self.missing_right = missing_right


class TooLargeError(RequestError):
    """The request would store something that is too large."""


class OutsidePrefixError(RequestError):
    """The request names a setting to which its token gives no access.

    Args:
        setting_prefix: The prefix of the names of the settings that the token reaches.
    """

    def __init__(self, setting_prefix: str) -> None:
        super().__init__(f"this token is limited to settings whose names begin with {setting_prefix!r}")
        self.setting_prefix = setting_prefix


class DatabaseUnavailableError(ServiceError):
    """The database cannot be reached or used right now; nothing was written."""


class DatabaseBusyError(DatabaseUnavailableError):
    """Another write takes long; nothing was written."""


class DatabaseMovedError(DatabaseUnavailableError):
    """The file of the database was moved, removed or replaced while it was open; nothing was written."""


class InterruptedWriteError(DatabaseUnavailableError):
    """A transaction was interrupted before its commit; nothing was written, and trying again may help."""


class UnknownOutcomeError(DatabaseUnavailableError):
    """The connection was lost during a commit: everything was written, or nothing."""


class NotCaughtUpError(DatabaseUnavailableError):
    """A client knows a newer revision than this replica, which cannot read it right now."""


class IdentityProviderError(ServiceError):
    """The identity provider did not identify a person."""


class IdentityProviderUnavailableError(IdentityProviderError):
    """The identity provider cannot be reached, or does not describe itself."""


class ExportError(ServiceError, ValueError):
    """Lines are not an export, or they contradict each other.

    Args:
        line: The number of the line, from 1.
        reason: What is wrong there.
    """

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.reason = reason


class NotEmptyError(ServiceError):
    """A database that was to be empty has settings.

    Args:
        settings: How many.
    """

    def __init__(self, settings: int) -> None:
        super().__init__(f"there are {settings} settings already")
        self.settings = settings
