"""Reads responses to queries: the lines of ``docs/reference/partial-responses.md``, or else the v1 response."""

from collections.abc import Iterator
from io import BytesIO

from heksherlite.engine.messages import Response
from heksherlite.engine.protocol import DELTA_STATUS, LINES, ResponseReader
from heksherlite.engine.query_events import Event, FeatureOrder, SettingBegins, SettingDefault, checked_batch
from heksherlite.engine.v1_responses import read_v1


def read_query(response: Response) -> Iterator[Event]:
    """Yield the events of a response, piece by piece.

    Raises:
        ServiceResponseError: If the response does not follow the protocol.
    """
    return (
        _read_lines(response) if response.media_type == LINES or response.status == DELTA_STATUS else read_v1(response)
    )


def _read_lines(response: Response) -> Iterator[Event]:
    reader = ResponseReader(response)
    lines = BytesIO(response.content)
    settings = 0
    for number, line in enumerate(lines, 1):
        data = reader.json(line)
        where = f"line {number}"
        if not isinstance(data, dict):
            reader.refuse(where, "an object")
        if "rule_ids" in data and settings:
            columns = reader.items(reader.member(data, "context_values", list, where), list, where)
            features = reader.member(data, "context_features", list, where)
            yield checked_batch(
                reader, where, data["rule_ids"], features, columns, reader.member(data, "values", list, where)
            )
        elif "setting" in data:
            settings += 1
            begins = SettingBegins(
                reader.member(data, "setting", str, where),
                reader.member(data, "whole", bool, where),
                reader.items(data["removed"], int, f"{where}.removed") if "removed" in data else (),
            )
            if not begins.whole and response.status != DELTA_STATUS:
                reader.refuse(where, "a whole setting")
            yield begins
            is_of_operator = data.get("default_source") == "operator"
            yield SettingDefault(reader.member(data, "default_value", object, where), is_of_operator)
        elif "context_features" in data and number == 1:
            yield FeatureOrder(tuple(reader.items(data["context_features"], str, f"{where}.context_features")))
        elif "settings" in data:
            if data["settings"] != settings or next(lines, None) is not None:
                reader.refuse(where, f"the end of {data['settings']} settings, and not of {settings},")
            return
        else:
            reader.refuse(where, "context features, a setting, its rules, or the number of settings")
    reader.refuse("the end", "the number of settings: the body was cut off")
