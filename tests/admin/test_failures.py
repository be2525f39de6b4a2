"""Services that do not answer, or answer something else."""

import pickle
from collections.abc import Iterator

import pytest

from heksherlite.admin import (
    AccessRefusedError,
    AdminClient,
    AdminError,
    ChangeConflictsError,
    OperationConflict,
    PutRule,
    RequestRefusedError,
    ServiceUnavailableError,
)
from heksherlite.errors import ServiceResponseError
from tests.sdk.scripted_service import Scripted, ScriptedService, scripted_service

PUT_DEV = PutRule(setting="cache_ttl", feature_values={"environment": "dev"}, value=10)
CHANGES = "/api/v1/changes"
SETTINGS = "/api/v1/settings"
TOKEN = "hkl_of_a_test"  # noqa: S105 - of no service


@pytest.fixture
def service() -> Iterator[ScriptedService]:
    with scripted_service() as service:
        yield service


def test_an_unreachable_service() -> None:
    """The message names the service. Nothing was sent, so nothing is said about what became of it."""
    with AdminClient("http://127.0.0.1:9") as admin, pytest.raises(ServiceUnavailableError) as raised:
        admin.change([PUT_DEV])
    assert str(raised.value).startswith("POST /api/v1/changes: cannot connect to http://127.0.0.1:9")
    assert "not known" not in str(raised.value)


def test_a_lost_answer(service: ScriptedService) -> None:
    """If the connection ends without an answer, the message says that a write may have arrived. It is sent once."""

    def hang_up(_: object) -> Scripted:
        raise ConnectionAbortedError

    service.script[CHANGES] = service.script[SETTINGS] = hang_up
    with AdminClient(service.url) as admin:
        with pytest.raises(ServiceUnavailableError, match="not known whether the service received the request"):
            admin.change([PUT_DEV])
        assert len(service.of(CHANGES)) == 1
        with pytest.raises(ServiceUnavailableError) as raised:
            admin.list_settings()
        assert "not known" not in str(raised.value)


def test_an_answer_that_does_not_come(service: ScriptedService) -> None:
    """The time limit is in the message."""
    service.held.clear()
    with AdminClient(service.url, response_timeout=0.05) as admin, pytest.raises(ServiceUnavailableError) as raised:
        admin.change([PUT_DEV])
    service.held.set()
    assert "0.05 s" in str(raised.value)
    assert "not known whether" in str(raised.value)


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (
            Scripted(b"<html>no", 502),
            ServiceUnavailableError,
            "status 502: <html>no; it is not known",
        ),
        (
            Scripted({"detail": "the database is not available; nothing was changed"}, 503),
            ServiceUnavailableError,
            "status 503: the database is not available; nothing was changed$",
        ),
        (
            Scripted(b"<!DOCTYPE HTML>\n<title>Error\n response</title><body>", 502, {"Content-Type": "text/html"}),
            ServiceUnavailableError,
            "status 502: the response is the web page 'Error response', which is not from a heksherlite service; check",
        ),
        (
            Scripted(b"<html>", 404, {"Content-Type": "text/html; charset=utf-8"}),
            RequestRefusedError,
            "status 404: the response is a web page, which is not from a heksherlite service; check the URL$",
        ),
        (
            Scripted(b"<title>Log in</title>", 200, {"Content-Type": "text/html"}),
            ServiceResponseError,
            "the response is the web page 'Log in'",
        ),
        (
            Scripted({"detail": "Not Found"}, 404),
            RequestRefusedError,
            "status 404: there is no such route; check the URL of the service, and whether it is an older one$",
        ),
        (Scripted(b"", 403), AccessRefusedError, "was refused with status 403: the response is empty"),
        (Scripted(b"no", 409), ChangeConflictsError, "has conflicts:\n  no$"),
        (Scripted(b"", 302, {"Location": "/login"}), RequestRefusedError, "redirects are not followed"),
        (Scripted(b"slow down", 429), RequestRefusedError, "status 429: slow down"),
        (
            Scripted({"detail": "x", "errors": [{"loc": ["body"], "msg": "line 1: no"}]}, 422),
            RequestRefusedError,
            "status 422: line 1: no$",
        ),
        (
            Scripted(
                {"detail": "x", "errors": [{"loc": ["query", "at"], "msg": "no"}, {"path": "a", "msg": "b"}]}, 422
            ),
            RequestRefusedError,
            "status 422: at: no; a: b$",
        ),
        (Scripted(b"<html>"), ServiceResponseError, "malformed: "),
        (Scripted({"revision": 1}), ServiceResponseError, "the field 'revision_name' is missing"),
        (Scripted([]), ServiceResponseError, "malformed: "),
    ],
)
def test_odd_answers(answer: Scripted, error: type[Exception], message: str, service: ScriptedService) -> None:
    """Whatever a proxy or another program answers is an error that shows it."""
    service.script[CHANGES] = answer
    with AdminClient(service.url) as admin, pytest.raises(error, match=message) as raised:
        admin.change([PUT_DEV])
    assert type(raised.value) is error


def test_the_token_is_sent_beside_other_headers(service: ScriptedService) -> None:
    """The token goes into the usual header, and headers of the caller are sent too."""
    service.script[SETTINGS] = Scripted({"settings": []})
    with AdminClient(service.url, token=TOKEN, http_client_args={"headers": {"X-Team": "shop"}}) as admin:
        admin.list_settings()
        admin.list_settings()
    for request in service.of(SETTINGS):
        assert (request.headers["Authorization"], request.headers["X-Team"]) == (f"Bearer {TOKEN}", "shop")


def test_a_token_that_cannot_be_sent() -> None:
    """The message does not contain the token."""
    with pytest.raises(ValueError, match="cannot be sent") as raised:
        AdminClient("http://127.0.0.1:9", token=f"{TOKEN}\n{TOKEN}")
    assert TOKEN not in str(raised.value)


def test_a_client_that_was_closed_connects_again(service: ScriptedService) -> None:
    """A client may be closed more than once, and used afterwards."""
    service.script[SETTINGS] = Scripted({"settings": []})
    admin = AdminClient(service.url)
    for _ in range(2):
        assert admin.list_settings() == ()
        admin.close()
        admin.close()


@pytest.mark.parametrize(
    "error",
    [
        AdminError("GET /", "no"),
        RequestRefusedError("GET /", "no", 404),
        ChangeConflictsError("POST /", (OperationConflict(operation=1, reason="no"),)),
    ],
)
def test_errors_can_be_pickled(error: AdminError) -> None:
    """Errors cross the borders of processes whole."""
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - its own
    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))
