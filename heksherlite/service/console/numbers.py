"""Numbers in URLs."""

from heksherlite.service.errors import BadRequestError

_MOST_DIGITS = 18


def read_number(text: str, what: str) -> int:
    """Return a whole number that is at least 1.

    Args:
        text: The number.
        what: What it is the number of, for errors.

    Raises:
        BadRequestError: The text is not such a number.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS and int(text) > 0):
        raise BadRequestError(f"{text[:100]!r} is not the number of a {what}, such as 1")
    return int(text)
