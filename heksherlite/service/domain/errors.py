"""Why the service refuses a request, in terms of what the API answers."""

from typing import Any, ClassVar


class DomainError(Exception):
    """A request that is well-formed and cannot be fulfilled. Nothing has changed.

    Args:
        message: The text of the answer; an empty one gives an answer without body.
        body: What to answer as JSON instead of the text, if the API says so.
    """

    status: ClassVar[int]

    def __init__(self, message: str = "", *, body: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.body = body


class BadRequestError(DomainError):
    """The request contradicts itself or what it refers to."""

    status = 400


class NotFoundError(DomainError):
    """The request names something that does not exist."""

    status = 404


class ConflictError(DomainError):
    """The request is at odds with what is stored."""

    status = 409


class NotPermittedError(DomainError):
    """The request is about something that the one who makes it may not do."""

    status = 403


class InvalidError(DomainError):
    """The request is malformed in a way that only shows when it is read closely.

    Args:
        message: What is wrong.
        location: Where it is: ``body`` or ``query``, then the name of the field or parameter.
    """

    status = 422

    def __init__(self, message: str, *, location: tuple[str, ...]) -> None:
        super().__init__(message)
        self.location = location


class TooLargeError(DomainError):
    """The request would store something that is too large."""

    status = 413


class OutsidePrefixError(DomainError):
    """The request is about a setting that its token does not reach.

    Args:
        setting_prefix: How the names of the settings begin that the token reaches.
    """

    status = 403

    def __init__(self, setting_prefix: str) -> None:
        super().__init__(f"this token is limited to settings whose names begin with {setting_prefix!r}")
        self.setting_prefix = setting_prefix
