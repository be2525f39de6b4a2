"""Settings that change while a program runs, from start to end in a few seconds.

Starts a settings service in this process, declares two settings, and reads them while an operator adds rules over HTTP.
"""

import asyncio
import time
from contextvars import ContextVar

import httpx

from heksherlite import TRACK_ALL, AsyncHeksherClient, Setting
from heksherlite.service import embedded

# What the program declares, anywhere at import time.
cache_ttl = Setting("cache_ttl", type=int, configurable_features=["environment", "user"], default_value=60)
background_color = Setting(
    "background_color", type=str, configurable_features=["environment", "theme"], default_value="white"
)
theme_of_request: ContextVar[str] = ContextVar("theme_of_request", default="bright")


def show(*users: str) -> None:
    """Print what the settings are for some users, and for two themes."""
    for user in users:
        print(f"    cache_ttl.get(user={user!r:<7}) = {cache_ttl.get(user=user)}")
    for theme in ("bright", "dark"):
        theme_of_request.set(theme)
        print(f"    background_color.get()      = {background_color.get()!r} while the request's theme is {theme!r}")


async def add_rule(api: httpx.AsyncClient, setting: str, conditions: dict[str, str], value: object) -> int:
    """Add a rule as an operator would: over the service's HTTP API."""
    rule = {"setting": setting, "feature_values": conditions, "value": value}
    response = await api.post("/api/v1/rules", json=rule)
    response.raise_for_status()
    rule_id: int = response.json()["rule_id"]
    condition_text = " and ".join(f"{feature} is {wanted}" for feature, wanted in conditions.items())
    print(f"    rule {rule_id}: {setting} is {value!r} where {condition_text}")
    return rule_id


async def until_value(user: str, value: int) -> None:
    """Wait until the client, which refreshes in the background, serves a value."""
    start = time.monotonic()
    while cache_ttl.get(user=user) != value:
        if time.monotonic() - start > 5:
            raise TimeoutError(f"cache_ttl of {user} is still {cache_ttl.get(user=user)}, and not {value}")
        await asyncio.sleep(0.01)
    print(f"    ... served {time.monotonic() - start:.2f} s later, without a restart\n")


async def main() -> None:
    """Run the demonstration."""
    async with embedded(context_features=["environment", "user", "theme"]) as service:
        print(f"A settings service runs at {service.url} (its documentation is at {service.url}/docs).\n")
        client = AsyncHeksherClient(
            service.url, update_interval=0.25, context_features=["environment", "user", "theme"]
        )
        client.set_defaults(environment="dev", theme=theme_of_request)
        client.track_contexts(environment="dev", user=TRACK_ALL, theme=["bright", "dark"])
        async with client, httpx.AsyncClient(base_url=service.url) as api:
            print("1. The program declared its settings, and there are no rules: the defaults.")
            show("john", "jane")

            print("\n2. An operator adds rules for the environment 'dev':")
            await add_rule(api, "background_color", {"environment": "dev", "theme": "dark"}, "black")
            await add_rule(api, "cache_ttl", {"environment": "prod"}, 3600)
            await add_rule(api, "cache_ttl", {"environment": "dev"}, 10)
            await until_value("john", 10)
            show("john", "jane")

            print("\n3. One user needs something else:")
            rule_for_john = await add_rule(api, "cache_ttl", {"user": "john"}, 0)
            await until_value("john", 0)
            show("john", "jane")

            print("\n4. Why? cache_ttl.explain(user='john') says:\n")
            print(cache_ttl.explain(user="john"))

            print(f"\n5. The operator changes rule {rule_for_john}, then deletes it:")
            (await api.put(f"/api/v1/rules/{rule_for_john}/value", json={"value": 5})).raise_for_status()
            await until_value("john", 5)
            (await api.delete(f"/api/v1/rules/{rule_for_john}")).raise_for_status()
            await until_value("john", 10)
            print(cache_ttl.explain(user="john"))
    print("\nThe service has stopped, and its database is gone. The settings keep their last values:")
    show("john")


if __name__ == "__main__":
    asyncio.run(main())
