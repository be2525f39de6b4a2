"""The table of wire values is correct for the package and for the service."""

import re
from collections.abc import Mapping, Sequence
from enum import Enum, IntFlag
from typing import Any

import orjson
import pytest

from heksherlite import setting_type
from heksherlite.service import embedded
from tests.documentation.pages import DOCS
from tests.service.api import Api


class Color(Enum):
    WHITE = "white"
    BLACK = "black"


class Access(IntFlag):
    READ = 1
    WRITE = 2


ROWS = re.findall(
    r"^\| `([^`]+)`[^|]* \| `([^`]+)` \| `([^`]+)` \| `([^`]+)` \|$",
    DOCS.joinpath("reference", "wire-values.md").read_text("utf-8"),
    re.MULTILINE,
)
NAMES: dict[str, Any] = {
    "Color": Color,
    "Access": Access,
    "Sequence": Sequence,
    "Mapping": Mapping,
}


@pytest.mark.parametrize(("python_type", "wire_type", "value", "wire_value"), ROWS, ids=[row[0] for row in ROWS])
def test_wire_values(python_type: str, wire_type: str, value: str, wire_value: str) -> None:
    """Each Python type and value has the wire form in the table, and is converted back."""
    converter = setting_type(eval(python_type, NAMES))  # noqa: S307 - a cell of the page
    python = eval(value.replace("\\|", "|"), NAMES)  # noqa: S307
    assert converter.heksher_string() == wire_type
    assert orjson.dumps(converter.convert_to_heksher(python)).decode() == wire_value
    assert converter.convert_from_heksher(orjson.loads(wire_value)).value == python


def test_the_service_accepts_the_table() -> None:
    """The service accepts each type with its value as default."""
    assert len(ROWS) == 8
    with embedded(context_features=["environment"]) as service:
        api = Api(service.url)
        for number, (_, wire_type, _, wire_value) in enumerate(ROWS):
            declared = api.declare(
                f"row_{number}",
                type=wire_type,
                default_value=orjson.loads(wire_value),
                configurable_features=["environment"],
            )
            assert declared.json() == {"outcome": "created"}
        api.close()
