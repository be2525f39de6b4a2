"""A program that knows one address at most, and gets the rest from there once a person has approved it on a page.

The person is asked once: later starts use the token that the first one kept.

Usage: python approved_client.py http://host:port

With ``FAKTS_...`` variables or a ``config.yaml`` that has a group ``heksher``, it asks nobody.
Needs ``heksherlite[yaml]``.
"""

import asyncio
import sys

from heksherlite import AsyncHeksherClient, Setting
from heksherlite.grants import (
    DeviceCodeGrant,
    EnvGrant,
    FailsafeGrant,
    Fakts,
    Manifest,
    WellKnownDiscovery,
    YamlGrant,
)

page_size = Setting("checkout.page_size", type=int, configurable_features=["environment", "user"], default_value=20)


async def main(url: str) -> None:
    """Print what a setting is for a user."""
    approval = DeviceCodeGrant(
        manifest=Manifest(identifier="shop.checkout", version="1.2", scopes=("read", "declare")),
        discovery=WellKnownDiscovery(url=url),
        timeout=600,
        open_browser=False,
    )
    grant = FailsafeGrant([EnvGrant(), YamlGrant("config.yaml"), approval])
    async with Fakts(grant), await AsyncHeksherClient.from_fakts():
        print("page_size of john:", page_size.get(user="john"))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
