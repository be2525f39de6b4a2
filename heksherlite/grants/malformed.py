"""The error of a text that is not in its format. No I/O."""


class Malformed(Exception):  # noqa: N818 - never leaves this package
    """A text is not in its format.

    Args:
        reason: What is wrong, without the text itself, which may be a secret.
        line: Where, from 1; or ``None``.
        column: Where, from 1; or ``None``.
    """

    def __init__(self, reason: str, line: int | None = None, column: int | None = None) -> None:
        place = "" if line is None else f"line {line}, column {column}: "
        super().__init__(place + reason)
