"""Describe what the service says about a declaration, and what to write instead."""

import reprlib
from collections.abc import Mapping
from typing import Any

from heksherlite.engine.protocol import DeclarationResponse


def describe_conflict(version: str, response: DeclarationResponse) -> str:
    """Describe a declaration that contradicts what the service stores, and the remedy.

    Args:
        version: The version of the declaration.
        response: The response to it.
    """
    match response.outcome:
        case "mismatch":
            differences = describe_differences(response)
            remedy = response.missing_right or _remedy(version, response)
            return f"it differs from what the service has at the same version {version}{differences}; {remedy}"
        case "rejected":
            return f"the service cannot upgrade it to version {version}{describe_differences(response)}"
        case _:
            return f"the service responded {reprlib.repr(response.detail)}"


def describe_differences(response: DeclarationResponse) -> str:
    """Return the differences after a colon, or nothing if there are none."""
    texts = [_difference(difference) for difference in response.differences]
    return f": {', '.join(texts)}" if texts else ""


def _difference(difference: Mapping[str, Any]) -> str:
    if "attribute" not in difference:
        return str(difference.get("message", dict(difference)))
    return f"{difference['attribute']} (the service has {reprlib.repr(difference.get('latest_value'))})"


def _remedy(version: str, response: DeclarationResponse) -> str:
    levels = {difference.get("level") for difference in response.differences}
    if "mismatch" in levels:
        return "change the rules of the setting first"
    major, _, minor = version.partition(".")
    try:
        needed = f"{int(major) + 1}.0" if "major" in levels else f"{major}.{int(minor) + 1}"
    except ValueError:  # Python does not convert texts of thousands of digits
        return "raise the version of the declaration"
    return f"to change the setting, write version={needed!r}"
