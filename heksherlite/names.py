"""The patterns of names and context values, which the client and the service share.

Match them in full, so that no trailing newline is accepted. Names have a maximum length because databases index them:
PostgreSQL accepts index entries of at most 2704 bytes.
"""

import re
from collections.abc import Iterable

CONTEXT_FEATURE_NAME = re.compile(r"[a-zA-Z_0-9]{1,1000}")
CONTEXT_FEATURE_VALUE = re.compile(r"[\w.@+=~/-]+")
"""E-mail addresses, UUIDs, host names and paths are values; ``\\w`` is any letter or digit, or ``_``."""
SETTING_NAME = re.compile(r"[a-zA-Z_0-9.]{1,1000}")
METADATA_KEY = re.compile(r"[a-zA-Z0-9_-]+")


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most similar to a misspelled one, or ``None`` if none is similar."""
    import difflib  # noqa: PLC0415 - only error messages need it

    names = {candidate.casefold(): candidate for candidate in known}
    nearest = difflib.get_close_matches(name.casefold(), names, n=1)
    return names[nearest[0]] if nearest else None
