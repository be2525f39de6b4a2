"""The forms of the pages."""

from collections.abc import Sequence
from typing import Final

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from heksherlite.service.api.access_denied import AccessDeniedError
from heksherlite.service.api.context import context_of
from heksherlite.service.api.forms import MAX_FIELDS, Fields, NotAFormError, parse_form

_WITH_FILES: Final = "multipart/form-data"


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


async def read_form(request: Request, *, with_files: bool = False) -> Form:
    """Return the form that a request submits.

    Args:
        request: The request.
        with_files: Whether the form may have files, whose contents are then the values of their fields.

    Raises:
        AccessDeniedError: The body is not a form, or this service did not display the form in this browser.
    """
    content_type = request.headers.get("content-type", "")
    try:
        if with_files and content_type.startswith(_WITH_FILES):
            form = Form(await _parse_with_files(request))
        else:
            form = Form(parse_form(content_type, await request.body()))
    except NotAFormError as error:
        raise AccessDeniedError(415, str(error)) from error
    except ValueError as error:
        raise AccessDeniedError(400, f"the form is malformed: {error}") from error
    context_of(request).people.require_own_form(request, form.text("form_token"))
    return form


async def _parse_with_files(request: Request) -> Fields:
    fields: dict[str, list[str]] = {}
    try:
        async with request.form(max_files=1, max_fields=MAX_FIELDS) as form:
            for name, value in form.multi_items():
                fields.setdefault(name, []).append(await _text_of(value) if isinstance(value, UploadFile) else value)
    except HTTPException as error:
        raise ValueError(error.detail) from error
    return fields


async def _text_of(file: UploadFile) -> str:
    try:
        return (await file.read()).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"the file {(file.filename or '')[:100]!r} is not a text in UTF-8") from error
