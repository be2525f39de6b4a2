"""A service and people with different access: by token, named by a proxy, and everybody where no token is needed."""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import Final, Self

import orjson

from heksherlite.service import embedded
from heksherlite.service.domain.tokens import Scope
from heksherlite.service.options import AccessOptions
from tests.console.pages import make_examples
from tests.console.shop import FEATURES, change, open_shop, rule
from tests.service.api import Api
from tests.service.browser import Browser
from tests.service.tokens import EVERY_SCOPE, make_token

READ, PROPOSE, WRITE, AUDIT, ADMIN = Scope.READ, Scope.PROPOSE, Scope.WRITE, Scope.AUDIT, Scope.ADMIN
HEADER: Final = "X-Forwarded-Email"
LIMIT: Final = "checkout."

ACCESS: Final = AccessOptions(
    auth="tokens",
    trust_user_header=HEADER,
    trusted_proxies=(ip_network("127.0.0.1"),),
    operators=frozenset({"proxy-operator"}),
    editors=frozenset({"proxy-editor", "limited-proxy-editor"}),
    viewers=frozenset({"proxy-viewer"}),
    setting_prefixes={"limited-proxy-editor": LIMIT},
)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who uses the console.

    Attributes:
        scopes: What the person may do.
        setting_prefix: The prefix of the settings that the person may access.
        way: How the service knows the person.
    """

    scopes: frozenset[Scope]
    setting_prefix: str = ""
    way: str = "token"


PEOPLE: Final[Mapping[str, Person]] = {
    "viewer": Person(frozenset({READ})),
    "auditor": Person(frozenset({READ, AUDIT})),
    "proposer": Person(frozenset({READ, PROPOSE})),
    "editor": Person(frozenset({READ, WRITE})),
    "administrator": Person(frozenset({READ, ADMIN})),
    "operator": Person(frozenset(EVERY_SCOPE)),
    "author": Person(frozenset({PROPOSE})),
    "program": Person(frozenset({Scope.DECLARE})),
    "limited-viewer": Person(frozenset({READ}), LIMIT),
    "limited-editor": Person(frozenset({READ, PROPOSE, WRITE}), LIMIT),
    "limited-administrator": Person(frozenset(EVERY_SCOPE), LIMIT),
    "proxy-viewer": Person(frozenset({READ}), way="proxy"),
    "proxy-editor": Person(frozenset({READ, PROPOSE, WRITE}), way="proxy"),
    "proxy-operator": Person(frozenset(EVERY_SCOPE), way="proxy"),
    "limited-proxy-editor": Person(frozenset({READ, PROPOSE, WRITE}), LIMIT, way="proxy"),
    "everybody": Person(frozenset(EVERY_SCOPE), way="none"),
}


class Staff:
    """Two services on one database: one knows people by tokens and by a proxy, the other lets everybody do everything.

    Attributes:
        api: A client with a token that may do everything.
        examples: What the addresses of pages contain.
        export: An export from which the service differs.

    Args:
        database: The URL of an empty database, which is filled.
    """

    def __init__(self, database: str) -> None:
        self._database = database
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        boss = make_token(self._database, "boss", *EVERY_SCOPE)
        self._tokens = {
            name: make_token(self._database, name, *each.scopes, setting_prefix=each.setting_prefix)
            for name, each in PEOPLE.items()
            if each.way == "token"
        }
        service = self._stack.enter_context(embedded(self._database, access=ACCESS, context_features=FEATURES))
        open_service = self._stack.enter_context(embedded(self._database, access=AccessOptions()))
        self._urls = {"token": service.url, "proxy": service.url, "none": open_service.url}
        self.api = Api(service.url, token=boss)
        self._stack.callback(self.api.close)
        self._stack.enter_context(Browser(service.url)).log_in(boss)
        open_shop(self.api)
        self.examples = make_examples(self.api)
        in_an_hour = int(time.time()) + 3600
        invitation = {"identifier": "shop.mail", "approval": {"scopes": ["read"]}, "expires_at": in_an_hour}
        invited = self.api.call("POST", "applications/invite", invitation).raise_for_status().json()
        redeemed = {"manifest": {"identifier": "shop.mail", "version": "1"}, "token": invited["one_time_token"]}
        self.api.http.post("/f/redeem/", json=redeemed).raise_for_status()
        self.api.call("PUT", "groups/mail", {"values": {"host": "mail.local"}}).raise_for_status()
        self.api.call("PUT", "secrets/mail", {"value": "s3cr3t"}).raise_for_status()
        self.export = self.api.get("export").text
        change(self.api, "after the export", rule(["card", "invoice", "paypal"], "checkout.methods", customer="acme"))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def browser(self, name: str) -> Browser:
        """Return a browser of a person, who is logged in if that is needed."""
        way = PEOPLE[name].way
        browser = Browser(self._urls[way], {HEADER: name} if way == "proxy" else None)
        if way == "token":
            browser.log_in(self._tokens[name], "/console/help")
        return browser

    def draft(self, browser: Browser, *operations: dict[str, object]) -> None:
        """Put operations into the draft of a person."""
        form = browser.open("/console/draft").form("/console/draft/import")
        page = browser.send(form, json=orjson.dumps({"operations": operations}).decode())
        assert page.status == 200, page.text

    def propose(self, browser: Browser, *operations: dict[str, object]) -> str:
        """Let a person propose operations, and return the path of the proposal."""
        self.draft(browser, *operations)
        forms = browser.open("/console/draft").forms
        form = next(each for each in forms if "apply_at" in dict(each.values))
        page = browser.send(replace(form, action=form.action.replace("save", "propose")), reason="mine")
        assert "Proposal" in page.headings[0], page.text
        return page.url.removeprefix(str(browser.http.base_url))
