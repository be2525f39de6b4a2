"""Pages stay small, also with large values and with very much of everything."""

import time
from collections.abc import Iterator
from dataclasses import replace

import orjson
import pytest

from heksherlite.service import embedded
from heksherlite.service.console.rendering import assets
from tests.console.pages import Examples, addresses, make_examples
from tests.console.shop import FEATURES, change, open_shop, rule
from tests.service.api import Api
from tests.service.browser import Browser
from tests.service.tokens import EVERY_SCOPE, WITH_TOKENS, make_token

LARGEST = 200_000
"""The largest page with its style and its scripts, in bytes without compression."""

LARGEST_SCRIPTS = 40_000

CROWD = [f"crowd.setting_{number:03}" for number in range(600)]


def test_large_values_do_not_make_pages_large(api: Api, browser: Browser) -> None:
    """A page with its style and scripts has at most 200 kB, and the scripts have at most 40 kB."""
    for number in range(40):
        api.declare(f"large_{number}", type="str", default_value="x" * 20_000)
    change(api, "large", *[rule("y" * 20_000, "large_0", user=f"u{number}") for number in range(20)])
    scripts = sum(len(content) for name, content in assets().items() if name.endswith(".js"))
    others = sum(len(content) for content in assets().values()) - scripts
    assert scripts <= LARGEST_SCRIPTS
    for path in ("", "settings/large_0", "history", "history?setting=large_0&c.user=u1", "explain"):
        page = browser.http.get(f"/console/{path}").raise_for_status()
        assert len(page.content) + scripts + others <= LARGEST, (path, len(page.content))


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Browser, Examples, str]]:
    """Return the browser of an operator of a service that has more of everything than a page shows, and an export."""
    path = tmp_path_factory.mktemp("crowded") / "a.db"
    token = make_token(path, "operator", *EVERY_SCOPE)
    with embedded(path, access=WITH_TOKENS, context_features=FEATURES) as service, Browser(service.url) as browser:
        api = Api(service.url, token=token)
        with api.http:
            open_shop(api)
            examples = make_examples(api)
            export = _crowd(api)
            many = change(api, "r" * 1_000, *_operations(1))
            examples = replace(examples, revision=many, proposal=_propose(api), rule=api.rule_ids("crowd.one")[0])
        browser.log_in(token, "/console/help")
        form = browser.open("/console/draft").form("/console/draft/import")
        drafted = browser.send(form, json=orjson.dumps({"operations": _operations(3)}).decode())
        assert "Edits 250" in drafted.text
        yield browser, examples, export


def _operations(value: int) -> list[dict[str, object]]:
    """Return operations with long values."""
    return [rule("y" * 400 + str(value), "crowd.one", user=f"u{number}") for number in range(250)]


def _crowd(api: Api) -> str:
    """Declare many settings with long texts, make many tokens, applications, groups and secrets; return an export."""
    described = {"description": "d" * 500, "owner": "o" * 500}
    for name in ["crowd.one", *CROWD]:
        api.declare(name, type="str", default_value="x" * 500, metadata=described)
    change(api, "r" * 1_000, *[rule("z" * 500, name, environment="e1") for name in CROWD])
    export = api.get("export").text
    for number in range(12):
        change(api, "r" * 1_000, *[rule("z" * 400, name, environment=f"e{number}") for name in CROWD])
    change(api, "for all", *[rule(str(number), name, environment="e1") for number, name in enumerate(CROWD)])
    for number in range(60):
        new = {"name": f"token-{number}", "scopes": ["read", "write", "propose"], "setting_prefix": "p" * 100}
        api.call("POST", "tokens", new).raise_for_status()
        invitation = {"identifier": f"app-{number}", "expires_at": int(time.time()) + 9_999}
        api.call("POST", "applications/invite", invitation).raise_for_status()
        api.call("PUT", f"groups/group-{number}", {"values": {"text": "g" * 1_900}}).raise_for_status()
        api.call("PUT", f"secrets/secret-{number}", {"value": "s"}).raise_for_status()
    return export


def _propose(api: Api) -> int:
    """Make many proposals, and return one with many edits and many long comments."""
    for _ in range(110):
        few = {"operations": [rule(5, user="p")], "reason": "r" * 1_000}
        api.call("POST", "proposals", few).raise_for_status()
    many = {"operations": _operations(2), "reason": "r" * 1_000}
    number: int = api.call("POST", "proposals", many).raise_for_status().json()["proposal_id"]
    for _ in range(12):
        api.call("POST", f"proposals/{number}/comments", {"text": "c" * 10_000}).raise_for_status()
    return number


@pytest.mark.thorough
def test_much_of_everything_does_not_make_pages_large(crowded: tuple[Browser, Examples, str]) -> None:
    """Every page has at most 200 kB with its style and scripts, whatever there is to show."""
    browser, examples, export = crowded
    settings = ",".join(CROWD[:90])
    more = [
        "?c.environment=e1",
        "settings/crowd.one",
        "settings/crowd.one?c.environment=e1",
        "history?setting=crowd.one&c.user=u1",
        "explain?settings=crowd.one",
        f"explain?c.environment=e1&settings={settings}",
        f"explain?c.environment=e1&d.environment=e2&settings={settings}",
        "compare?feature=environment&left=e1&right=e2",
        "compare/contexts?c.environment=e1&d.environment=e2",
        "compare/contexts?c.user=u1&d.user=u2",
        "bulk?" + "&".join(f"setting={name}" for name in CROWD),
        "bulk?found=1",
        "bulk?setting=crowd.one&" + "&".join(f"rule={examples.rule + number}" for number in range(200)),
        "access?group=group-1&tokens=2",
        "draft?page=3",
        f"proposals/{examples.proposal}?page=2&comments=2",
    ]
    known = {**addresses(examples), "more": [f"/console/{path}" for path in more]}
    known["/console/settings/{name}/edit"] = [f"/console/settings/crowd.one/edit?rule={examples.rule}"]
    known["/console/bulk"] = [f"/console/bulk?setting=crowd.one&rule={examples.rule}"]
    others = sum(len(content) for content in assets().values())
    sizes = {}
    for path in [path for paths in known.values() for path in paths]:
        sizes[path[:100]] = len(browser.http.get(path).raise_for_status().content) + others
    compared = browser.send(browser.open("/console/compare/file").form("/console/compare/file"), export=export)
    assert "; there are more" in compared.text
    sizes["an export"] = len(compared.response.content) + others
    assert {path: size for path, size in sizes.items() if size > LARGEST} == {}
