"""The definition of a value: feature number i has the weight 2**i, and the matching rule of most weight wins."""

from collections.abc import Mapping, Sequence
from typing import Any


def resolve(setting: Mapping[str, Any], order: Sequence[str], context: Mapping[str, str]) -> Any:
    """Return the value as JSON.

    Args:
        setting: What the service returns for it in a query: ``default_value`` and ``rules``.
        order: The context features, most general first.
        context: A value for each configurable feature.
    """
    weights = {feature: 2**index for index, feature in enumerate(order)}
    matching = [
        rule
        for rule in setting["rules"]
        if all(context.get(feature) == value for feature, value in rule["context_features"])
    ]
    if not matching:
        return setting["default_value"]
    return max(matching, key=lambda rule: sum(weights[f] for f, _ in rule["context_features"]))["value"]
