"""The history, undoing, explanations, comparisons, proposals and context features in the console."""

from urllib.parse import urljoin, urlsplit

import pytest

from tests.service.api import Api
from tests.service.browser import Browser, Page


@pytest.fixture(autouse=True)
def shop(api: Api) -> Api:
    """Declare some settings with rules."""
    api.declare()
    api.declare("page_size", configurable_features=["environment", "user"])
    api.add_rule(10, environment="staging")
    api.add_rule(300, environment="prod")
    return api


def change(api: Api, *operations: dict[str, object], reason: str = "because") -> int:
    """Make a change, and return its revision."""
    answer = api.call("POST", "changes", {"operations": list(operations), "reason": reason})
    assert answer.status_code == 200, answer.text
    revision: int = answer.json()["revision"]
    return revision


def links_of(page: Page) -> list[str]:
    """Return the paths to which the links of a page lead."""
    return [urlsplit(urljoin(page.url, str(each.get("href")))).path for tag, each in page.tags if tag == "a"]


RULE = {"op": "put_rule", "setting": "cache_ttl", "feature_values": {"environment": "prod"}, "value": 1}


@pytest.mark.parametrize(
    "operations",
    [
        [RULE],
        [{"op": "delete_rule", "setting": "cache_ttl", "feature_values": {"environment": "prod"}}],
        [{"op": "put_rule", "setting": "page_size", "feature_values": {"user": "ann"}, "value": 5}],
        [{"op": "set_default", "setting": "page_size", "value": 5}],
        [{"op": "set_setting_metadata", "setting": "page_size", "metadata": {"owner": "shop"}}],
        [{"op": "set_type", "setting": "page_size", "type": "float"}],
        [{"op": "set_configurable_features", "setting": "page_size", "configurable_features": ["user"]}],
        [{"op": "move_context_feature", "context_feature": "theme", "to_before": "environment"}],
        [{"op": "add_context_feature", "context_feature": "tenant"}],
        [RULE, {"op": "set_default", "setting": "cache_ttl", "value": 2}],
    ],
    ids=lambda operations: "+".join(each["op"] for each in operations),
)
def test_a_change_is_undone_by_a_draft(api: Api, browser: Browser, operations: list[dict[str, object]]) -> None:
    """Whatever was changed is as before, by a change of its own that was looked at first."""

    def state() -> object:
        settings = [api.setting(name) for name in ("cache_ttl", "page_size")]
        rules = {name: [rule["value"] for rule in each["rules"]] for name, each in api.query().items()}
        return api.features(), [{**each, "version": ""} for each in settings], rules

    before = state()
    revision = change(api, *operations)
    changed = state()
    page = browser.open(f"/console/history/{revision}")
    page = browser.send(page.form(f"/console/history/{revision}/undo"))
    assert state() == changed != before
    page = browser.send(page.form("/console/draft/save"), reason="back")
    assert "Saved" in page.text, page.text
    assert state() == before


def test_an_undo_does_not_overwrite_what_came_later(api: Api, browser: Browser) -> None:
    """What somebody changed after the change to undo is a conflict, with who and when."""
    revision = change(api, RULE)
    change(api, {**RULE, "value": 2})
    page = browser.open(f"/console/history/{revision}")
    page = browser.send(page.form(f"/console/history/{revision}/undo"))
    assert "Other people have changed the same things" in page.text
    assert "was changed from 1 to 2" in page.text


def test_the_history_is_filtered(api: Api, browser: Browser) -> None:
    """By setting, reason and time; the page says so if nothing matches."""
    change(api, RULE, reason="A 100% certain move")
    text = browser.open("/console/history?reason=100%25+CERTAIN").text
    assert text.count("Revision") == 2  # one record, and the foot
    assert "No change matches" in browser.open("/console/history?reason=1000").text
    assert "No change matches" in browser.open("/console/history?until=2000-01-01T00:00").text
    assert "cache_ttl" not in browser.open("/console/history?setting=page_size").text.partition("Revision")[2]
    assert browser.open("/console/history?since=soon").status == 400


def test_values_are_explained_then_and_now(api: Api, browser: Browser) -> None:
    """Two times side by side, with the change that made the difference."""
    earlier = api.revision()
    revision = change(api, RULE, reason="the move")
    query = f"settings=cache_ttl&c.environment=prod&c.user=ann&at={earlier}&and_at={revision}"
    text = browser.open(f"/console/explain?{query}").text
    assert "1 differ" in text
    assert f"1 rule {api.rule_ids()[-1]} where environment is prod since Revision {revision}" in text
    assert "somebody : the move" in text
    later = change(api, {"op": "delete_rule", "setting": "cache_ttl", "feature_values": {"environment": "prod"}})
    change(api, {**RULE, "feature_values": {"environment": "dev"}}, reason="has nothing to do with it")
    text = browser.open(f"/console/explain?{query.replace(f'and_at={revision}', 'and_at=')}").text
    assert "1 differs" not in text  # without a second time, there is nothing to compare with
    text = browser.open(f"/console/explain?{query.replace(f'and_at={revision}', f'and_at={api.revision()}')}").text
    assert f"60 default of the program since Revision {later}" in text
    text = browser.open("/console/explain?c.environment=prod&c.user=a&d.environment=staging&d.user=a&only=yes").text
    assert "1 setting · 1 differs" in text
    page = browser.open("/console/explain?settings=cache_ttl&at=99999")
    assert (page.status, "There is no revision 99999 yet" in page.text) == (400, True)


def test_very_many_settings_are_explained_in_parts(api: Api, browser: Browser) -> None:
    """Each setting is in one part, also if one of the two times has fewer settings; what is named is not divided."""
    earlier = api.revision()
    names = [f"many_{number:03}" for number in range(120)]
    for name in names:
        api.declare(name)
    found: list[str] = []
    query = f"?c.environment=prod&at={earlier}&and_at={api.revision()}"
    while query:
        page = browser.open(f"/console/explain{query}")
        found += [path.rpartition("/")[2] for path in links_of(page) if "/settings/many_" in path]
        more = [each.get("href") for tag, each in page.tags if tag == "a" and each.get("rel") == "next"]
        query = f"?{urlsplit(str(more[0])).query}" if more else ""
    assert found == names
    text = browser.open("/console/explain?settings=many_000,many_119").text
    assert "2 settings" in text
    assert "Go on" not in text


def test_an_environment_is_copied(browser: Browser) -> None:
    """What differs between two environments is copied by a draft, all or by row."""
    page = browser.open("/console/compare?feature=environment&left=staging&right=prod")
    assert "1 difference" in page.text
    (form,) = [form for form in page.forms if form.method == "post" and form.action.endswith("/compare")]
    assert browser.send(form).status == 400
    page = browser.send(form, row=form.offered["row"])
    assert "cache_ttl where environment is prod : 300 → 10" in page.text
    page = browser.open("/console/compare?feature=environment&left=staging&right=staging")
    assert "Nothing differs" in page.text


def test_many_differences_are_shown_in_pages(api: Api, browser: Browser) -> None:
    """A page has 200 differences, and the rows of every page can be chosen."""
    rules = [
        {
            "op": "put_rule",
            "setting": "page_size",
            "feature_values": {"environment": "staging", "user": f"u{n:03}"},
            "value": n,
        }
        for n in range(205)
    ]
    change(api, *rules)
    address = "/console/compare?feature=environment&left=staging&right=prod"
    page = browser.open(address)
    assert "Differences 1 to 200 , and more" in page.text.replace("200,", "200 ,")
    page = browser.open(address + "&page=2")
    assert "Differences 201 to 206" in page.text
    assert "u204" in page.text
    (form,) = [form for form in page.forms if form.method == "post" and form.action.endswith("/compare")]
    assert len(form.offered["row"]) == 6
    assert "u204" in browser.send(form, row=form.offered["row"][-1:]).text
    assert "There are no more differences" in browser.open(address + "&page=3").text
    assert browser.open(address + "&page=0").status == 400


def test_a_proposal_is_discussed_and_applied(api: Api, browser: Browser) -> None:
    """Its impact is on the page, and so is what is said about it."""
    answer = api.call("POST", "proposals", {"operations": [RULE], "reason": "for the sale"})
    number = answer.json()["proposal_id"]
    assert f"{number}: for the sale" in browser.open("/console/proposals").text.replace(" :", ":")
    page = browser.open(f"/console/proposals/{number}")
    assert "cache_ttl where environment is prod : 300 → 1" in page.text
    form = page.form(f"/console/proposals/{number}/comments")
    page = browser.send(form, comment="why 1?")
    assert "why 1?" in page.text
    form.action = form.action.replace("comments", "approve")
    page = browser.send(form, comment="fine")
    assert "applied" in page.text
    assert api.get(f"proposals/{number}").json()["state"] == "applied"


def test_a_proposal_is_rejected(api: Api, browser: Browser) -> None:
    """Somebody decides against it, and it is no longer listed."""
    number = api.call("POST", "proposals", {"operations": [RULE]}).json()["proposal_id"]
    form = browser.open(f"/console/proposals/{number}").form(f"/console/proposals/{number}/comments")
    form.action = form.action.replace("comments", "reject")
    assert "rejected" in browser.send(form).text
    assert f"/console/proposals/{number}" not in links_of(browser.open("/console/proposals"))
    assert f"/console/proposals/{number}" in links_of(browser.open("/console/proposals?all=1"))
    assert browser.open("/console/proposals/12345").status == 404
    assert browser.open("/console/proposals/x").status == 400


def test_moving_a_context_feature_shows_its_impact(api: Api, browser: Browser) -> None:
    """The draft shows for whom values change."""
    api.add_rule(5, user="ann")
    page = browser.open("/console/features")
    assert "wins over environment" in page.text
    (form,) = [each for each in page.forms if each.chosen("feature") == ["environment"] and "do" in each.buttons]
    page = browser.send(form, do="after")
    assert "move context feature" in page.text.casefold()
    assert "cache_ttl where user is ann and environment is staging : 5 → 10" in page.text


def test_the_settings_that_use_a_context_feature_are_listed(api: Api, browser: Browser) -> None:
    """With links to them; where there are many, the first ones by name, and how many there are."""
    for number in range(41):
        api.declare(f"many_{number:02}", configurable_features=["theme"])
    page = browser.open("/console/features")
    assert {"/console/settings/cache_ttl", "/console/settings/page_size"} <= set(links_of(page))
    assert "many_39 and 1 more" in page.text
    assert "many_40" not in page.text
