"""Changes rules, declares new versions and moves context features, as fast as the service responds."""

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.stress.domain import FEATURES, SETTINGS, VALUES, value_of

MOST_WRITES = 20_000


@dataclass
class Outcome:
    """What a writer did.

    Attributes:
        statuses: How many responses had which status, by the kind of write.
        created: The ids of the rules whose creation was acknowledged.
        deleted: The ids of those whose deletion was.
        failures: Responses of 500 and above, and requests without a response.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    created: list[int] = field(default_factory=list)
    deleted: list[int] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


class Writer:
    """One of several writers, who all change the same settings.

    Args:
        url: The service.
        seed: Makes the writer's choices.
    """

    def __init__(self, url: str, seed: int) -> None:
        self._api = httpx.Client(base_url=url, timeout=30)
        self._chance = random.Random(seed)  # noqa: S311 - repeatable choices
        self._known_rules: list[int] = []
        self.outcome = Outcome()

    def write(self, seconds: float) -> None:
        """Write for a while, or until there were enough writes."""
        deadline = time.monotonic() + seconds
        kinds = (self._add, self._change, self._delete, self._search, self._declare, self._describe, self._move)
        while time.monotonic() < deadline and self.outcome.statuses.total() < MOST_WRITES:
            (kind,) = self._chance.choices(kinds, weights=(30, 30, 10, 15, 8, 6, 1))
            if not self._known_rules and kind in (self._change, self._delete):
                kind = self._add
            try:
                response = kind()
            except httpx.HTTPError as error:
                self.outcome.failures.append(f"{kind.__name__}: {error!r}")
                continue
            self.outcome.statuses[f"{kind.__name__.strip('_')} {response.status_code}"] += 1
            if response.status_code >= 500:
                self.outcome.failures.append(f"{kind.__name__}: {response.status_code} {response.text[:300]}")
        self._api.close()

    def _add(self) -> httpx.Response:
        setting = self._setting()
        value = value_of(setting, self._chance.randrange(1000))
        body = {"setting": setting, "feature_values": self._conditions(setting), "value": value}
        response = self._api.post("/api/v1/rules", json=body)
        if response.status_code == 201:
            self.outcome.created.append(response.json()["rule_id"])
            self._known_rules.append(response.json()["rule_id"])
        return response

    def _search(self) -> httpx.Response:
        """Find a rule, perhaps another writer's, to change or delete it later."""
        setting = self._setting()
        conditions = ",".join(f"{feature}:{value}" for feature, value in self._conditions(setting).items())
        response = self._api.get("/api/v1/rules/search", params={"setting": setting, "feature_values": conditions})
        if response.status_code == 200:
            self._known_rules.append(response.json()["rule_id"])
        return response

    def _change(self) -> httpx.Response:
        rule = self._chance.choice(self._known_rules)
        value = self._chance.randrange(1000)
        response = self._api.put(f"/api/v1/rules/{rule}/value", json={"value": value})
        if response.status_code == 400:  # a setting of strings
            response = self._api.put(f"/api/v1/rules/{rule}/value", json={"value": str(value)})
        return response

    def _delete(self) -> httpx.Response:
        rule = self._known_rules.pop(self._chance.randrange(len(self._known_rules)))
        response = self._api.delete(f"/api/v1/rules/{rule}")
        if response.status_code == 204:
            self.outcome.deleted.append(rule)
        return response

    def _declare(self) -> httpx.Response:
        """Raise the version of a setting with a new default. Another writer may be faster."""
        setting = self._setting()
        kind, features = SETTINGS[setting]
        major, minor = self._version(setting)
        body: dict[str, Any] = {
            "name": setting,
            "type": {int: "int", str: "str"}[kind],
            "configurable_features": features,
            "default_value": value_of(setting, self._chance.randrange(1000)),
            "version": f"{major}.{minor + 1}",
        }
        return self._api.post("/api/v1/settings/declare", json=body)

    def _describe(self) -> httpx.Response:
        setting = self._setting()
        major, minor = self._version(setting)
        body = {"value": self._chance.randrange(1000), "version": f"{major}.{minor + 1}"}
        return self._api.put(f"/api/v1/settings/{setting}/metadata/note", json=body)

    def _move(self) -> httpx.Response:
        """Change the order of the context features, and with it the priority of the rules."""
        feature, other = self._chance.sample(FEATURES, 2)
        place = self._chance.choice(("to_after", "to_before"))
        return self._api.patch(f"/api/v1/context_features/{feature}/index", json={place: other})

    def _setting(self) -> str:
        return self._chance.choice(list(SETTINGS))

    def _conditions(self, setting: str) -> dict[str, str]:
        _, features = SETTINGS[setting]
        chosen = self._chance.sample(features, self._chance.randint(1, len(features)))
        return {feature: self._chance.choice(VALUES) for feature in chosen}

    def _version(self, setting: str) -> tuple[int, int]:
        version = self._api.get(f"/api/v1/settings/{setting}").raise_for_status().json()["version"]
        major, _, minor = version.partition(".")
        return int(major), int(minor)
