"""The forms of the pages."""

from collections.abc import Sequence

from fastapi import Request

from heksherlite.service.api.access_denied import AccessDeniedError
from heksherlite.service.api.context import context_of
from heksherlite.service.api.forms import Fields, NotAFormError, parse_form


class Form:
    """A submitted form.

    Args:
        fields: All values of each field, by name.
    """

    def __init__(self, fields: Fields) -> None:
        self._fields = fields

    def text(self, name: str) -> str:
        """Return the value of a field, without surrounding whitespace; empty if the form does not have it."""
        values = self._fields.get(name, [""])
        return values[-1].strip()

    def texts(self, name: str) -> Sequence[str]:
        """Return all values of a field."""
        return self._fields.get(name, [])

    def names(self) -> Sequence[str]:
        """Return the names of all fields."""
        return list(self._fields)


async def read_form(request: Request) -> Form:
    """Return the form that a request submits.

    Raises:
        AccessDeniedError: The body is not a form, or this service did not display the form in this browser.
    """
    try:
        form = Form(parse_form(request.headers.get("content-type", ""), await request.body()))
    except NotAFormError as error:
        raise AccessDeniedError(415, str(error)) from error
    except ValueError as error:
        raise AccessDeniedError(400, f"the form is malformed: {error}") from error
    context_of(request).people.require_own_form(request, form.text("form_token"))
    return form
