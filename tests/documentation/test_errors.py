"""The page of errors lists every error of the service, with the status that clients receive."""

import re

import pytest

from heksherlite.service import errors
from heksherlite.service.api.responses import _STATUSES, status_of
from tests.documentation.pages import DOCS

PAGE = DOCS.joinpath("reference", "errors.md").read_text("utf-8")
BASES = {"ServiceError", "RequestError"}
"""Classes that are not raised themselves."""


def classes() -> dict[str, type[Exception]]:
    """Return the exceptions of the service, by name."""
    found = {name: value for name, value in vars(errors).items() if isinstance(value, type)}
    return {name: value for name, value in found.items() if issubclass(value, errors.ServiceError)}


def test_every_error_is_documented() -> None:
    """The page has a row for every exception of the service, and no row for another one."""
    documented = set(re.findall(r"^\|(?: [\d, ]+ \|)? `(\w+Error)` \|", PAGE, re.MULTILINE))
    assert documented == classes().keys() - BASES | {"AccessDeniedError"}


@pytest.mark.parametrize("name", sorted(name for name in classes() if issubclass(classes()[name], errors.RequestError)))
def test_statuses_are_those_of_responses(name: str) -> None:
    """The status of an error of requests is the one that the service sends."""
    if name in BASES:
        return
    error = Exception.__new__(classes()[name])
    assert re.search(rf"^\| {status_of(error)} \| `{name}` \|", PAGE, re.MULTILINE)  # type: ignore[arg-type]


def test_every_status_has_an_error() -> None:
    """Every status of errors of requests is on the page."""
    statuses = set(re.findall(r"^\| (\d{3}) \|", PAGE, re.MULTILINE))
    assert {str(status) for status in _STATUSES.values()} <= statuses
