"""The patterns of names and context values, which the client and the service share.

Match them in full, so that no trailing newline is accepted. Names have a maximum length because databases index them:
PostgreSQL accepts index entries of at most 2704 bytes.
"""

import re
from collections.abc import Iterable

CONTEXT_FEATURE_NAME = re.compile(r"[a-zA-Z_0-9]{1,1000}")
CONTEXT_FEATURE_VALUE = re.compile(r"[\w.@+=~/-]+")
"""Nearly all values: e-mail addresses, UUIDs, host names and paths. ``\\w`` is any letter or digit, or ``_``.

`is_context_feature_value` also accepts combining marks, which regular expressions have no class for.
"""
CONTEXT_FEATURE_VALUE_ALLOWED = "letters, digits and _ . @ + = ~ / -"
SETTING_NAME = re.compile(r"(?!\.{1,2}$)[a-zA-Z_0-9.]{1,1000}")
"""HTTP clients remove ``.`` and ``..`` from URLs, so these are not names."""
MANAGED_BY = "managed_by"
"""The key of a rule's metadata with the owner of the file in a repository that the rule is from."""
PLAN_FORMAT = "heksherlite-plan"
"""The format of a saved plan, in its field ``format``."""
METADATA_KEY = re.compile(r"[a-zA-Z0-9_-]+")


def is_context_feature_value(text: str) -> bool:
    """Return whether a text is a value of a context feature: letters, combining marks, digits, and ``_.@+=~/-``."""
    if CONTEXT_FEATURE_VALUE.fullmatch(text) is not None:
        return True
    if text.isascii():
        return False
    from unicodedata import category  # noqa: PLC0415 - few values need it

    return all(CONTEXT_FEATURE_VALUE.match(character) or category(character).startswith("M") for character in text)


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most similar to a misspelled one, or ``None`` if none is similar."""
    import difflib  # noqa: PLC0415 - only error messages need it

    names = {candidate.casefold(): candidate for candidate in known}
    nearest = difflib.get_close_matches(name.casefold(), names, n=1)
    return names[nearest[0]] if nearest else None
