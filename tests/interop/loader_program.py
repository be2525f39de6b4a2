"""A typical program with the original loader of grants.

Usage: ``python loader_program.py static URL TOKEN``, or ``python loader_program.py device_code URL SECONDS``.

Prints what it does, one JSON object per line: the page that it opens for a person, then what it was given, or why not.
"""

# ruff: noqa: T201 - it prints what it does
import asyncio
import json
import sys
import warnings
import webbrowser
from importlib import import_module
from typing import Any


def tell(**what: object) -> None:
    """Print a message for the parent process."""
    print(json.dumps(what), flush=True)


def show_page(url: str, new: int = 0, autoraise: bool = True) -> bool:
    """Replace the browser of a person."""
    del new, autoraise
    tell(page=url)
    return True


def grant(kind: str, url: str, token_or_seconds: str) -> Any:
    """Return a grant of the original."""
    remote, discovery = import_module("fakts.grants.remote"), import_module("fakts.discovery.well_known")
    well_known = discovery.WellKnownDiscovery(url=url)
    if kind == "static":
        return remote.StaticGrant(discovery=well_known, token=token_or_seconds)
    manifest = remote.Manifest(identifier="org.example.original", version="1.0", scopes=["read", "declare"])
    seconds = int(token_or_seconds)
    return remote.DeviceCodeGrant(discovery=well_known, manifest=manifest, timeout=seconds, open_browser=True)


async def main(kind: str, url: str, token_or_seconds: str) -> None:
    """Load facts."""
    fakts = import_module("fakts")
    try:
        async with fakts.Fakts(grant=grant(kind, url, token_or_seconds)) as loader:
            group = await loader.aget("heksher")
    except Exception as error:  # noqa: BLE001 - whatever it is, it is to be compared
        tell(error=f"{type(error).__name__}: {error}")
    else:
        tell(group=group)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    webbrowser.open = show_page
    asyncio.run(main(*sys.argv[1:]))
