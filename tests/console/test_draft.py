"""Edits go into a draft, which shows what it does, and is saved as one change."""

import json
from pathlib import Path

import pytest

from heksherlite.service import embedded
from heksherlite.service.domain.limits import Limits
from tests.cli.terminal import Terminal
from tests.service.api import FEATURES, Api
from tests.service.browser import Browser, Page


@pytest.fixture(autouse=True)
def shop(api: Api) -> Api:
    """Declare some settings with rules."""
    api.declare()
    api.declare("enabled", type="bool", default_value=True)
    api.declare("mode", type='Enum["dark","bright",1]', default_value="dark")
    api.declare("methods", type='Flags["card","invoice"]', default_value=["card"])
    api.declare("words", type="Sequence<str>", default_value=["a"])
    api.declare("limits", type="Mapping<int>", default_value={"day": 1})
    api.declare("text", type="str", default_value="one")
    api.declare("weights", type="Mapping<Sequence<float>>", default_value={})
    api.add_rule(10, environment="dev")
    return api


def edit(browser: Browser, path: str, **entered: str | list[str] | None) -> Page:
    """Fill in the form of a page about a setting, and send it."""
    page = browser.open(f"/console/settings/{path}")
    (form,) = [form for form in page.forms if form.method == "post" and form.action == page.url]
    return browser.send(form, {name.replace("__", "."): value for name, value in entered.items()})


def save(browser: Browser, reason: str = "because") -> Page:
    """Save the draft."""
    return browser.send(browser.open("/console/draft").form("/console/draft/save"), reason=reason)


def test_a_rule_is_drafted_looked_at_and_saved(api: Api, browser: Browser) -> None:
    """Nothing changes before the draft is saved; then it is one record with the reason."""
    before = api.revision()
    page = edit(browser, "cache_ttl/edit", f__environment="prod", value="5")
    assert page.url.endswith("/console/draft")
    assert "cache_ttl : add a rule where environment is prod value: 5" in page.text
    assert "cache_ttl where environment is prod : 60 → 5" in page.text
    assert api.revision() == before
    saved = save(browser, "the move")
    assert f"Saved as revision {before + 1}" in saved.text
    (record,) = api.history(limit=1)
    assert (record["reason"], record["change_count"]) == ("the move", 1)
    assert "The draft is empty" in browser.open("/console/draft").text


@pytest.mark.parametrize(
    ("name", "entered", "value"),
    [
        ("cache_ttl", {"value": "7"}, 7),
        ("enabled", {"value": "false"}, False),
        ("mode", {"value": "1"}, 1),
        ("mode", {"value": '"bright"'}, "bright"),
        ("methods", {"value": ['"card"', '"invoice"']}, ["card", "invoice"]),
        ("methods", {"value": None}, []),
        ("words", {"item": ["b", "", "c d"]}, ["b", "c d"]),
        ("limits", {"key": ["day", "hour", ""], "item": ["2", "3", ""]}, {"day": 2, "hour": 3}),
        ("text", {"value": " two\r\nlines "}, " two\nlines "),
        ("weights", {"mode": "json", "json": '{"a": [1.5]}'}, {"a": [1.5]}),
        ("cache_ttl", {"mode": "json", "json": "9"}, 9),
    ],
)
def test_every_type_has_an_editor(
    api: Api, browser: Browser, name: str, entered: dict[str, str | list[str] | None], value: object
) -> None:
    """What is entered is the value that is saved, with its type."""
    edit(browser, f"{name}/default", **entered)
    save(browser)
    assert api.setting(name)["operator_default_value"] == value


@pytest.mark.parametrize(
    ("path", "entered", "text"),
    [
        ("cache_ttl/edit", {"value": "5"}, "Fill in at least one condition"),
        ("cache_ttl/edit", {"f__user": "a", "value": "1.5"}, "1.5 is not of type int"),
        ("cache_ttl/edit", {"f__user": "a", "value": "x"}, "'x' is not a number"),
        (
            "cache_ttl/edit",
            {"f__user": "a b", "value": "1"},
            "'a b' cannot be a value of user",
        ),
        ("cache_ttl/edit", {"f__user": "a", "value": "1", "starts_at": "soon"}, "'soon' is not a time"),
        (
            "cache_ttl/edit",
            {"f__user": "a", "value": "1", "ends_at": "2000-01-01T00:00"},
            "The end is in the past",
        ),
        (
            "cache_ttl/edit",
            {"f__user": "a", "value": "1", "starts_at": "2999-01-02T00:00", "ends_at": "2999-01-01T00:00"},
            "The end is not after the start",
        ),
        ("weights/default", {"mode": "json", "json": "{"}, "This is not JSON: unexpected end of data, in line 1"),
        ("weights/default", {"mode": "json", "json": ""}, "Enter a value in JSON"),
        ("limits/default", {"key": ["a", "a"], "item": ["1", "2"]}, "The key 'a' is there twice"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field(
    browser: Browser, path: str, entered: dict[str, str | list[str] | None], text: str
) -> None:
    """The form comes back with the fault, and the draft stays empty."""
    page = edit(browser, path, **entered)
    assert page.status == 422
    assert text in page.text
    assert "The draft is empty" in browser.open("/console/draft").text


def test_another_edit_of_the_same_replaces_the_first(browser: Browser) -> None:
    """A draft has one edit for each rule and each default."""
    for value in ("5", "6"):
        edit(browser, "cache_ttl/edit", f__environment="prod", value=value)
    page = edit(browser, "cache_ttl/default", value="8")
    assert "Edits 2" in page.text
    assert "value: 5" not in page.text


def test_an_edit_or_all_are_discarded(browser: Browser) -> None:
    """Each edit goes by itself, and all of them at once."""
    edit(browser, "cache_ttl/edit", f__environment="prod", value="5")
    page = edit(browser, "cache_ttl/default", value="8")
    discards = [form for form in page.forms if form.action.endswith("/draft/discard")]
    page = browser.send(next(form for form in discards if form.chosen("edit") == ["0"]))
    assert "Edits 1" in page.text
    page = browser.send(
        next(form for form in page.forms if form.action.endswith("/discard") and not form.chosen("edit"))
    )
    assert "The draft is empty" in page.text


def test_what_others_changed_meanwhile_is_a_conflict(api: Api, browser: Browser) -> None:
    """The page says who changed what; the draft is saved after its author has decided to keep it."""
    rule_id = api.rule_ids()[0]
    edit(browser, f"cache_ttl/edit?rule={rule_id}", value="5")
    api.call("PUT", f"rules/{rule_id}/value", {"value": 20})
    page = browser.open("/console/draft")
    assert "Other people have changed the same things" in page.text
    assert "was changed from 10 to 20" in page.text
    refused = browser.send(page.form("/console/draft/save"), reason="mine")
    assert (refused.status, api.query()["cache_ttl"]["rules"][0]["value"]) == (409, 20)
    page = browser.send(page.form("/console/draft/rebase"))
    assert "value: 20 → 5" in page.text
    save(browser)
    assert api.query()["cache_ttl"]["rules"][0]["value"] == 5


def test_changes_elsewhere_are_no_conflict(api: Api, browser: Browser) -> None:
    """Others may change other rules of the same setting."""
    edit(browser, "cache_ttl/edit", f__environment="prod", value="5")
    api.add_rule(1, user="ann")
    assert "Saved" in save(browser).text


def test_a_draft_is_exported_and_imported(api: Api, browser: Browser) -> None:
    """The export is the body of the API's changes, and an import takes it back."""
    edit(browser, "cache_ttl/edit", f__environment="prod", value="5")
    exported = browser.http.get("/console/draft/export")
    assert "attachment" in exported.headers["content-disposition"]
    page = browser.open("/console/draft")
    browser.send(next(form for form in page.forms if form.action.endswith("/discard") and not form.chosen("edit")))
    page = browser.send(browser.open("/console/draft").form("/console/draft/import"), json=exported.text)
    assert "add a rule where environment is prod" in page.text
    made = api.call("POST", "changes", json.loads(exported.text))
    assert made.status_code == 200
    page = browser.send(page.form("/console/draft/import"), json='{"operations": [{"op": "nothing"}]}')
    assert page.status == 422
    assert "Operations.0: Input tag" in page.text


def test_a_draft_is_a_plan_file(api: Api, browser: Browser, tmp_path: Path) -> None:
    """The command line applies the plan file of a draft, and a draft takes a plan file."""
    edit(browser, "cache_ttl/edit", f__environment="prod", value="5")
    exported = browser.http.get("/console/draft/plan")
    assert 'filename="plan.json"' in exported.headers["content-disposition"]
    page = browser.open("/console/draft")
    assert "heksherlite apply plan.json --url" in page.text
    browser.send(next(form for form in page.forms if form.action.endswith("/discard") and not form.chosen("edit")))
    page = browser.send(browser.open("/console/draft").form("/console/draft/import"), json=exported.text)
    assert "add a rule where environment is prod" in page.text
    file = tmp_path / "plan.json"
    file.write_bytes(exported.content)
    base = exported.json()["base_revision"]
    api.add_rule(7, environment="stage")
    page = browser.send(browser.open("/console/draft").form("/console/draft/import"), json=exported.text)
    again = browser.http.get("/console/draft/plan").json()
    assert again["base_revision"] == base, "a person who imports a plan looked at its revision, not at the newest one"
    elsewhere = exported.text.replace(base, f"{base.partition('-')[0]}-{'0' * 12}")
    refused = browser.send(page.form("/console/draft/import"), json=elsewhere)
    assert (refused.status, "is not one of this service" in refused.text) == (409, True)
    Terminal(api, tmp_path).run("apply", str(file), "--yes", "--reason", "from the console")
    shown = api.get("explain", settings="cache_ttl", context="environment:prod").json()
    assert shown["explanations"][0]["value"] == 5
    page = browser.send(page.form("/console/draft/import"), json='{"format": "heksherlite-plan", "version": 2}')
    assert (page.status, "a plan of another version" in page.text) == (422, True)


def test_a_deletion_and_a_schedule(api: Api, browser: Browser) -> None:
    """A rule is deleted, and another one ends tomorrow."""
    page = browser.open("/console/settings/cache_ttl")
    page = browser.send(page.form("/console/settings/cache_ttl/delete-rule"))
    assert "cache_ttl where environment is dev : 10 → 60" in page.text
    edit(browser, "cache_ttl/edit", f__user="ann", value="1", ends_at="2099-01-01T12:00")
    save(browser)
    (rule,) = api.get("settings/cache_ttl", include_rules=True).json()["rules"]
    assert (rule["feature_values"], rule["ends_at"]) == ([["user", "ann"]], "2099-01-01T12:00:00Z")


def test_a_setting_is_shown_to_browsers_and_phones(api: Api, browser: Browser) -> None:
    """The button on the page of a setting puts this into the draft, which says it, and the page says it afterwards."""
    page = browser.open("/console/settings/cache_ttl")
    draft = browser.send(page.form("/console/settings/cache_ttl/client-visible"))
    assert "visible to clients" in draft.text
    save(browser)
    assert api.setting("cache_ttl")["client_visible"] is True
    page = browser.open("/console/settings/cache_ttl")
    assert "Hide this setting from browsers and phones" in page.text
    browser.send(page.form("/console/settings/cache_ttl/client-visible"))
    save(browser)
    assert "client_visible" not in api.setting("cache_ttl")


def test_protection_needs_a_proposal_or_an_emergency(api: Api, browser: Browser) -> None:
    """A protected setting is proposed, or changed in an emergency, which the history marks."""
    page = browser.open("/console/settings/cache_ttl")
    browser.send(page.form("/console/settings/cache_ttl/protect"))
    save(browser)
    page = edit(browser, "cache_ttl/default", value="5")
    assert "Protected settings are only changed by proposals" in page.text
    refused = browser.send(page.form("/console/draft/propose"))
    assert "Proposal" in refused.text
    edit(browser, "cache_ttl/default", value="6")
    form = browser.open("/console/draft").form("/console/draft/propose")
    form.action = form.action.replace("propose", "save")
    assert "Saved" in browser.send(form, reason="fire", break_glass="yes").text
    assert api.history(limit=1)[0]["break_glass"] is True
    ending = {"op": "set_protection", "setting": "cache_ttl", "protected": False}
    api.call("POST", "changes", {"operations": [ending], "reason": "for the other tests", "break_glass": True})


def test_drafts_belong_to_one_person(api: Api, browser: Browser) -> None:
    """Without names, each browser has a draft of its own."""
    edit(browser, "cache_ttl/default", value="5")
    with Browser(api.url) as other:
        assert "The draft is empty" in other.open("/console/draft").text


def test_a_draft_is_no_larger_than_a_change(tmp_path: Path) -> None:
    """However many requests fill it, a draft keeps to the limits of one change."""
    limits = Limits(max_changes_size=1_000)
    with embedded(tmp_path / "a.db", context_features=FEATURES, limits=limits) as service:
        api = Api(service.url)
        with api.http, Browser(service.url) as browser:
            api.declare("text", type="str", default_value="one")
            for number, status in ((1, 200), (2, 200), (3, 400)):
                rule = {
                    "op": "add_rule",
                    "setting": "text",
                    "feature_values": {"user": f"u{number}"},
                    "value": "x" * 300,
                }
                form = browser.open("/console/draft").form("/console/draft/import")
                page = browser.send(form, json=json.dumps({"operations": [rule]}))
                assert page.status == status
            assert "at most 1000 are possible" in page.text
