"""Forms: request bodies in the media type ``application/x-www-form-urlencoded``."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias
from urllib.parse import parse_qs

FORM: Final = "application/x-www-form-urlencoded"
"""The media type of forms."""

MAX_FIELDS: Final = 10_000

Fields: TypeAlias = Mapping[str, Sequence[str]]
"""All values of each field, by name."""


class NotAFormError(Exception):
    """The media type of a body is not that of a form."""


def parse_form(content_type: str, body: bytes) -> Fields:
    """Parse a form.

    Args:
        content_type: The ``Content-Type`` of the request.
        body: The body of the request.

    Raises:
        NotAFormError: The body is not a form.
        ValueError: The form is malformed or has more than 10,000 fields.
    """
    if content_type.partition(";")[0].strip().lower() != FORM:
        raise NotAFormError(f"the body must be {FORM}")
    return parse_qs(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
