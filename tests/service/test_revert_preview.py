"""A dry run of a revert: what a real one would answer, and nothing changes."""

from tests.service.api import Api

DRY = {"dry_run": True}


def test_a_dry_run_of_a_revert(api: Api) -> None:
    """It returns the newest revision, or the conflicts, and 404 for a revision that does not exist."""
    api.declare()
    rule_id = api.add_rule(1, user="a")
    added = api.revision()
    dry = api.call("POST", f"history/{added}/revert", DRY)
    assert (dry.status_code, dry.json()) == (200, {"revision": added})
    assert api.rule_ids() == [rule_id]
    api.call("PUT", f"rules/{rule_id}/value", {"value": 2})
    newest = api.revision()
    conflicts = api.call("POST", f"history/{added}/revert", DRY)
    assert conflicts.status_code == 409
    assert conflicts.json() == api.call("POST", f"history/{added}/revert").json()
    assert api.call("POST", "history/999999/revert", DRY).status_code == 404
    assert api.revision() == newest


def test_a_dry_run_respects_protection(api: Api) -> None:
    """What a protected setting would refuse is refused."""
    api.declare()
    api.add_rule(1, user="a")
    added = api.revision()
    protect = {"op": "set_protection", "setting": "cache_ttl", "protected": True}
    assert api.call("POST", "changes", {"operations": [protect]}).is_success
    dry = api.call("POST", f"history/{added}/revert", DRY)
    assert (dry.status_code, "proposal" in dry.text) == (403, True)
    unprotect = {"operations": [{**protect, "protected": False}], "break_glass": True, "reason": "the test is over"}
    assert api.call("POST", "changes", unprotect).is_success
