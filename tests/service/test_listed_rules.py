"""The list of all rules of a setting, whatever their schedule."""

import time
from datetime import UTC, datetime, timedelta

from tests.service.api import Api


def test_pending_and_ended_rules_are_listed_on_request(api: Api) -> None:
    """The rules of a setting are listed by id with their phases, and only on request."""
    api.declare()
    now = datetime.now(UTC)
    body = {"setting": "cache_ttl", "value": 1}
    later, soon = (now + timedelta(days=1)).isoformat(), (now + timedelta(seconds=2)).isoformat()
    always = api.add_rule(1, user="always")
    pending = api.call("POST", "rules", {**body, "feature_values": {"user": "later"}, "starts_at": later}).json()
    ended = api.call("POST", "rules", {**body, "feature_values": {"user": "soon"}, "ends_at": soon}).json()
    while api.get(f"rules/{ended['rule_id']}").json()["phase"] != "ended":
        time.sleep(0.05)
    rules = api.get("settings/cache_ttl", include_rules=True).json()["rules"]
    assert [(rule["rule_id"], rule.get("phase")) for rule in rules] == [
        (always, None),
        (pending["rule_id"], "pending"),
        (ended["rule_id"], "ended"),
    ]
    for rule in rules:
        details = api.get(f"rules/{rule['rule_id']}").json()
        assert {name: value for name, value in rule.items() if name != "rule_id"} == details
    assert api.rule_ids() == [always]
    assert "rules" not in api.setting()
