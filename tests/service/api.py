"""A thin client of the v1 API."""

from collections.abc import Iterable, Mapping
from typing import Any

import httpx

FEATURES = ["environment", "user", "theme"]


class Api:
    def __init__(self, url: str, *, token: str | None = None) -> None:
        self.url = url
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self.http = httpx.Client(base_url=url, timeout=30, headers=headers)

    def close(self) -> None:
        self.http.close()

    def call(self, method: str, path: str, json: Any = None, **options: Any) -> httpx.Response:
        if json is not None:
            options["json"] = json
        return self.http.request(method, f"/api/v1/{path}", **options)

    def get(self, path: str, **params: Any) -> httpx.Response:
        return self.http.get(f"/api/v1/{path}", params=params)

    def declare(self, name: str = "cache_ttl", **fields: Any) -> httpx.Response:
        body = {"name": name, "type": "int", "default_value": 60, "configurable_features": ["environment", "user"]}
        return self.call("POST", "settings/declare", {**body, **fields})

    def add_rule(self, value: Any, /, setting: str = "cache_ttl", **feature_values: str) -> int:
        body = {"setting": setting, "feature_values": feature_values, "value": value}
        response = self.call("POST", "rules", body)
        assert response.status_code == 201, response.text
        rule_id: int = response.json()["rule_id"]
        return rule_id

    def add_rules(self, rules: Iterable[tuple[Any, Mapping[str, str]]], /, setting: str = "cache_ttl") -> None:
        """Add rules, given as values and feature values, in one change."""
        kind = {"op": "put_rule", "setting": setting}
        self.change(*[{**kind, "feature_values": feature_values, "value": value} for value, feature_values in rules])

    def change(self, *operations: dict[str, Any]) -> None:
        """Make one change of many operations, which is faster than many changes."""
        response = self.call("POST", "changes", {"operations": operations})
        assert response.status_code == 200, response.text

    def setting(self, name: str = "cache_ttl") -> dict[str, Any]:
        response: dict[str, Any] = self.get(f"settings/{name}").json()
        return response

    def query(self, **params: Any) -> dict[str, Any]:
        response = self.get("query", **params)
        assert response.status_code == 200, response.text
        settings: dict[str, Any] = response.json()["settings"]
        return settings

    def rule_ids(self, setting: str = "cache_ttl", **params: Any) -> list[int]:
        return [rule["rule_id"] for rule in self.query(settings=setting, **params)[setting]["rules"]]

    def features(self) -> list[str]:
        names: list[str] = self.get("context_features").json()["context_features"]
        return names

    def history(self, **params: Any) -> list[dict[str, Any]]:
        response = self.get("history", **params)
        assert response.status_code == 200, response.text
        records: list[dict[str, Any]] = response.json()["history"]
        return records

    def revision(self) -> int:
        newest: int = self.history(limit=1)[0]["revision"]
        return newest

    def state(self) -> tuple[Any, ...]:
        """Return everything that can be read, to compare before and after."""
        return (
            self.features(),
            self.get("settings", include_additional_data=True).json(),
            self.query(include_metadata=True),
        )

    def reset(self) -> None:
        """Delete all settings, and restore the three usual context features in their usual order."""
        settings = self.get("settings").json()["settings"]
        if settings:
            self.change(*({"op": "delete_setting", "setting": setting["name"]} for setting in settings))
        if self.features() != FEATURES:
            for name in self.features():
                self.call("DELETE", f"context_features/{name}")
            for name in FEATURES:
                self.call("POST", "context_features", {"context_feature": name})
