"""This service beside an export: what differs goes into the draft."""

from dataclasses import replace

import httpx
import pytest

from tests.service.api import Api
from tests.service.browser import Browser

PAGE = "/console/compare/file"


def test_differences_from_an_export_are_copied(api: Api, browser: Browser) -> None:
    """After all rows are copied and saved, the export is the same again; what is not declared is named."""
    api.declare("cache_ttl")
    api.declare("gone")
    kept = api.add_rule(1, environment="dev")
    changed = api.add_rule(2, environment="prod")
    export = api.get("export").text
    api.call("DELETE", "settings/gone")
    api.call("PUT", f"rules/{changed}/value", {"value": 3})
    api.call("DELETE", f"rules/{kept}")
    api.add_rule(4, user="new")
    api.call(
        "POST",
        "changes",
        {"operations": [{"op": "set_default", "setting": "cache_ttl", "value": 9}]},
    )
    page = browser.open(PAGE)
    assert page.unlabelled == []
    page = browser.send(page.form(PAGE), export=export)
    assert "4 differences" in page.text
    assert "left out: gone" in page.text
    assert page.unlabelled == []
    form = page.form(f"{PAGE}/copy")
    plan = browser.send(replace(form, action=form.action.replace("copy", "plan")), all="yes").response
    assert 'filename="plan.json"' in plan.headers["content-disposition"]
    assert plan.json()["base_revision"].partition("-")[0] == str(api.revision())
    imported = browser.send(browser.open("/console/draft").form("/console/draft/import"), json=plan.text)
    assert "Edits 4" in imported.text
    browser.send(next(each for each in imported.forms if each.action.endswith("/discard") and not each.chosen("edit")))
    browser.send(form, row=form.offered["row"][:1])
    assert [each["op"] for each in browser.http.get("/console/draft/export").json()["operations"]] == ["clear_default"]
    draft = browser.send(form, all="yes")
    browser.send(draft.form("/console/draft/save"), reason="as in the file")
    assert "Nothing differs" in browser.send(browser.open(PAGE).form(PAGE), export=export).text


def test_what_is_no_export_is_refused(browser: Browser) -> None:
    """The page says in which line the fault is, and an empty choice is refused."""
    page = browser.send(browser.open(PAGE).form(PAGE), export="{}")
    assert (page.status, "this is not what heksherlite export wrote" in page.text) == (422, True), page.text


def test_a_file_is_uploaded(api: Api, browser: Browser) -> None:
    """The file of a form is read like what is pasted; one that is no text is refused by its name."""
    api.declare("cache_ttl")
    export = api.get("export").content
    api.add_rule(4, user="new")
    token = {"form_token": browser.open(PAGE).form(PAGE).value("form_token")}

    def upload(content: bytes, **pasted: str) -> httpx.Response:
        files = {"file": ("backup.jsonl", content, "application/octet-stream")}
        return browser.http.post(PAGE, data={**token, **pasted}, files=files)

    assert "1 difference" in upload(export).text
    assert "1 difference" in upload(b"", export=export.decode()).text
    refused = upload(b"\xff\xfe")
    assert (refused.status_code, "&#39;backup.jsonl&#39; is not a text in UTF-8" in refused.text) == (400, True)
    empty = upload(b"")
    assert (empty.status_code, "Choose a file, or paste its content" in empty.text) == (422, True)


def test_a_thousand_rows_are_copied(api: Api, browser: Browser) -> None:
    """All rows that a page shows can be copied at once."""
    api.declare("cache_ttl")
    operations = [
        {"op": "put_rule", "setting": "cache_ttl", "feature_values": {"user": f"u{n}"}, "value": n} for n in range(1001)
    ]
    assert api.call("POST", "changes", {"operations": operations}).status_code == 200
    export = api.get("export").text
    deleted = [
        {"op": "delete_rule", "setting": "cache_ttl", "feature_values": each["feature_values"]} for each in operations
    ]
    assert api.call("POST", "changes", {"operations": deleted}).status_code == 200
    page = browser.send(browser.open(PAGE).form(PAGE), export=export)
    assert "1,000 differences; there are more" in page.text
    assert browser.send(page.form(f"{PAGE}/copy"), all="yes").status == 200
    assert len(browser.http.get("/console/draft/export").json()["operations"]) == 1_000


@pytest.mark.parametrize(
    "sent", ["", "x", "AAAA", "eJyrrgUAAXUA+Q==", "eJyLjgUAARUAuQ==", "eJyLrlbKL1CyUqpQqo0FABjlA8o="]
)
def test_what_the_form_did_not_say_is_not_copied(api: Api, browser: Browser, sent: str) -> None:
    """No field, no compressed text, no list, and no operation are refused, and add nothing to the draft."""
    api.declare("cache_ttl")
    token = browser.open(PAGE).form(PAGE).value("form_token")
    response = browser.http.post(f"{PAGE}/copy", data={"form_token": token, "operations": sent, "all": "yes"})
    assert response.status_code == 400
    assert browser.http.get("/console/draft/export").json()["operations"] == []
