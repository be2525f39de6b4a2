"""Forms as browsers send them."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qs

from fastapi import Request

from heksherlite.service.api.access_denied import AccessDeniedError
from heksherlite.service.api.operators import operators_of

_FORM: Final = "application/x-www-form-urlencoded"
_MOST_FIELDS: Final = 1_000


class Form:
    """The fields of a form.

    Args:
        fields: All values by name.
    """

    def __init__(self, fields: dict[str, list[str]]) -> None:
        self._fields = fields

    def text(self, name: str) -> str:
        """Return what was entered, without blanks around it; the empty string if nothing was."""
        values = self._fields.get(name, [""])
        return values[-1].strip()

    def texts(self, name: str) -> Sequence[str]:
        """Return all that was chosen."""
        return self._fields.get(name, [])


async def read_form(request: Request) -> Form:
    """Return the form that a request brings along.

    Raises:
        AccessDeniedError: It is no form, or none that this service showed to this browser.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM:
        raise AccessDeniedError(415, f"this page takes forms, which are {_FORM}")
    try:
        text = (await request.body()).decode("ascii")
        fields = parse_qs(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise AccessDeniedError(400, "the form cannot be read") from error
    form = Form(fields)
    operators = operators_of(request)
    operators.require_own_form(request, form.text("form_token"))
    return form
