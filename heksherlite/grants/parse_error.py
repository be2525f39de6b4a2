"""The exception of the parsers."""


class ParseError(Exception):
    """A text cannot be parsed. It never leaves this package.

    Args:
        reason: What is wrong, without the text itself, which may be secret.
        line: The line number, from 1, or ``None``.
        column: The column number, from 1, or ``None``.
    """

    def __init__(self, reason: str, line: int | None = None, column: int | None = None) -> None:
        place = "" if line is None else f"line {line}, column {column}: "
        super().__init__(place + reason)
