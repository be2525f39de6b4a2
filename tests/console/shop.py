"""The shop of the tests: its settings, and the people who look after it."""

from tests.service.api import Api

FEATURES = ["environment", "customer", "user", "theme"]


def open_shop(api: Api, *, keep: str = "") -> None:
    """Delete all settings but those whose names begin with a prefix, declare those of the shop, and change some."""
    for setting in api.get("settings").json()["settings"]:
        if not keep or not setting["name"].startswith(keep):
            api.call("DELETE", f"settings/{setting['name']}")
    described = {"description": "How long answers are cached, in seconds.", "owner": "platform"}
    api.declare(metadata=described)
    api.declare(
        "checkout.enabled",
        type="bool",
        default_value=True,
        configurable_features=["environment", "customer"],
        metadata={"description": "Whether customers can pay."},
    )
    api.declare(
        "checkout.methods",
        type='Flags["card","invoice","paypal"]',
        default_value=["card"],
        configurable_features=["environment", "customer"],
        metadata={"description": "The methods of payment that are offered."},
    )
    api.declare("checkout.page_size", default_value=20, configurable_features=["environment", "user", "theme"])
    api.declare("mail.limits", type="Mapping<int>", default_value={"day": 100, "hour": 10})
    api.declare("mail.sender", type="str", default_value="shop@example.com")
    change(
        api, "the cache is cold after the move", rule(10, environment="dev"), rule(0, environment="dev", user="john")
    )
    change(api, "ACME pays by invoice", rule(["card", "invoice"], "checkout.methods", customer="acme"))
    change(api, "bigger pages", rule(50, "checkout.page_size", environment="staging", theme="wide"))
    change(api, "as in the test", rule(30, environment="staging"), rule(300, environment="prod"))


def rule(value: object, setting: str = "cache_ttl", /, **feature_values: str) -> dict[str, object]:
    """Return the operation that puts a rule."""
    return {"op": "put_rule", "setting": setting, "feature_values": feature_values, "value": value}


def change(api: Api, reason: str, *operations: dict[str, object]) -> int:
    """Make a change, and return its revision."""
    response = api.call("POST", "changes", {"operations": list(operations), "reason": reason})
    assert response.status_code == 200, response.text
    revision: int = response.json()["revision"]
    return revision
