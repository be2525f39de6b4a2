"""This service beside an export: what differs goes into the draft."""

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
    browser.send(form, row=form.offered["row"][:1])
    assert [each["op"] for each in browser.http.get("/console/draft/export").json()["operations"]] == ["clear_default"]
    draft = browser.send(form, all="yes")
    browser.send(draft.form("/console/draft/save"), reason="as in the file")
    assert "Nothing differs" in browser.send(browser.open(PAGE).form(PAGE), export=export).text


def test_what_is_no_export_is_refused(browser: Browser) -> None:
    """The page says in which line the fault is, and an empty choice is refused."""
    page = browser.send(browser.open(PAGE).form(PAGE), export="{}")
    assert (page.status, "this is not what heksherlite export wrote" in page.text) == (422, True), page.text
