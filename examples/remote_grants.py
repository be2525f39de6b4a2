"""A program that gets its configuration from an endpoint on the network, once a person has approved that on a page.

Usage: python remote_grants.py http://host:port

The next start needs nobody: the grant keeps the token that it was granted.
"""

import asyncio
import sys

from heksherlite.grants import DeviceCodeGrant, Fakts, GrantError, Manifest, WellKnownDiscovery


async def main(url: str) -> None:
    """Print the groups that the endpoint has for this program."""
    manifest = Manifest(identifier="org.example.remote-grants", version="1.0", scopes=("read",))
    approval = DeviceCodeGrant(manifest=manifest, discovery=WellKnownDiscovery(url=url), open_browser=False)
    async with Fakts(approval) as fakts:
        try:
            groups = await fakts.aget()
        except GrantError as error:
            sys.exit(f"no configuration: {error}")
    print("configured:", ", ".join(sorted(groups)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
