"""The contents of a response to a query as events, for all of its forms.

Perhaps the order of the context features, then for each setting its beginning, its default, and its rules in batches.
"""

import struct
from array import array
from collections.abc import Sequence
from typing import Any, NamedTuple

from heksherlite.engine.protocol import ResponseReader
from heksherlite.rules import RuleBatch
from heksherlite.values.columns import are_integers, are_strings


class FeatureOrder(NamedTuple):
    """All context features in the service's order."""

    names: tuple[str, ...]


class SettingBegins(NamedTuple):
    """Begins a setting. The batches that follow belong to it.

    Attributes:
        name: Its canonical name.
        whole: Whether the batches contain all rules, or only those that changed.
        removed: The ids of removed rules, if the batches only contain changes.
    """

    name: str
    whole: bool = True
    removed: Sequence[int] = ()


class SettingDefault(NamedTuple):
    """The service's default of a setting.

    Attributes:
        value: The default, as JSON.
        is_of_operator: Whether the service says that an operator set it.
    """

    value: Any
    is_of_operator: bool = False


Event = FeatureOrder | SettingBegins | SettingDefault | RuleBatch[Any]


def checked_batch(
    reader: ResponseReader, where: str, rule_ids: Any, features: Any, columns: list[Any], values: list[Any]
) -> RuleBatch[Any]:
    """Check rules in columns, and return them.

    Raises:
        ServiceResponseError: If they do not follow the protocol.
    """
    if type(rule_ids) is not list or not are_integers(rule_ids):
        reader.items(rule_ids, int, f"{where}: the rules' ids")
    if type(features) is not list or not are_strings(features):
        reader.items(features, str, f"{where}: the context features")
    for column in columns:
        if type(column) is not list or not are_strings(column):
            reader.items(column, str, f"{where}: the condition values")
    count = len(rule_ids)
    try:
        # half of the time that an array takes for a list
        ids = array("q", struct.pack(f"{count}q", *rule_ids))
    except struct.error:
        reader.refuse(where, "ids within 64 bits")
    if len(columns) != len(features) or len(set(features)) != len(features):
        reader.refuse(where, "distinct context features with a value each")
    if len(values) != count or not {count}.issuperset(map(len, columns)):
        reader.refuse(where, "as many values as ids")
    return RuleBatch(ids, features, columns, values)
