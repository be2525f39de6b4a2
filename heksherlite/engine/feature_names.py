"""Check the names of context features that a program gives to its client."""

from collections.abc import Iterable, Sequence

from heksherlite.names import CONTEXT_FEATURE_NAME, nearest_name


def context_feature_names(features: Iterable[str]) -> tuple[str, ...]:
    """Return the context features of a client.

    Args:
        features: The names. A string counts as its characters.

    Raises:
        TypeError: If they are not an iterable of strings.
        ValueError: If one of them is not a valid name, or is repeated.
    """
    try:
        names = tuple(features)
    except TypeError:
        raise TypeError(f"context_features must be a list of names, not {features!r}") from None
    hint = ""
    if isinstance(features, str):
        split = "".join(letter if CONTEXT_FEATURE_NAME.fullmatch(letter) else " " for letter in features).split()
        hint = f"; context_features is a string: write {split}"
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"context_features must be a list of names, and {name!r} is not a string")
        if CONTEXT_FEATURE_NAME.fullmatch(name) is None:
            raise ValueError(f"{name!r} is not a valid name of a context feature{hint}")
        if names.count(name) > 1:
            raise ValueError(f"context_features contains {name!r} several times{hint}")
    return names


def check_features(features: Iterable[str], known: Sequence[str]) -> None:
    """Refuse the names that look like misspelled context features of the client.

    A name that is similar to none of them may be a context feature that only the service knows.

    Args:
        features: The names.
        known: The context features of the client.

    Raises:
        ValueError: If a name is not a context feature of the client, and similar to one that is.
    """
    for feature in features:
        if feature in known:
            continue
        if len(known) > 1 and feature == "".join(known):
            raise ValueError(f"context_features is the string {feature!r}: write context_features=[{feature!r}]")
        nearest = nearest_name(feature, known)
        if nearest is not None:
            raise ValueError(
                f"{feature!r} is not a context feature of the client; did you mean {nearest!r}? "
                f"Its context features are {', '.join(map(repr, known))}"
            )
