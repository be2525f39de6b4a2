"""Arguments that cannot be meant are refused before something else is sent."""

import math
from typing import Any

import pytest

from heksherlite.admin import AdminClient, PutRule, RequestRefusedError
from tests.sdk.scripted_service import scripted_service


@pytest.mark.parametrize(
    ("method", "arguments", "message"),
    [
        ("explain", ("cache_ttl",), r"settings must be a list of names: write \['cache_ttl'\]"),
        ("explain", (["cache_ttl"], {"user": None}), "context: the value of 'user' must be text, not None"),
        ("explain", (["cache_ttl"], {"user": "\ud800"}), "expected text as context, not 'user:.ud800'"),
        ("rules", (None,), "expected the name of a setting, not None"),
        ("setting", ("\ud800",), r"expected the name of a setting, not '\\ud800'"),
        ("delete_group", (7,), "expected a name, not 7"),
        (
            "change",
            ([PutRule(setting="rate", feature_values={"user": "john"}, value=math.nan)],),
            r"POST /api/v1/changes cannot be sent: operations\[0\].value: nan is not JSON",
        ),
    ],
)
def test_wrong_arguments(method: str, arguments: tuple[Any, ...], message: str) -> None:
    """The message says what was wrong. Nothing is sent."""
    with scripted_service() as service, AdminClient(service.url) as admin:
        with pytest.raises(TypeError, match=message):
            getattr(admin, method)(*arguments)
        assert service.received == []


@pytest.mark.parametrize("name", ["a/b", "", "..", "a?b"])
def test_a_name_that_no_setting_can_have(name: str) -> None:
    """There is no path for it, so the error is that of a setting that does not exist."""
    with AdminClient("http://127.0.0.1:9") as admin, pytest.raises(RequestRefusedError) as raised:
        admin.rules(name)
    assert (raised.value.status, raised.value.reason) == (404, f"setting {name!r} does not exist")


def test_numbers_in_a_context(monkeypatch: pytest.MonkeyPatch) -> None:
    """They have one obvious text, as in `Setting.get`."""
    sent: list[Any] = []
    monkeypatch.setattr(AdminClient, "send", lambda _, call: sent.append(call.request))
    AdminClient("http://127.0.0.1:9").explain(["cache_ttl"], {"user": 7})  # type: ignore[dict-item]
    assert ("context", "user:7") in sent[0].params
