"""YAML by the safe loader of PyYAML, with limits for aliases and errors that name the place."""

import re
from typing import Any, Final

import yaml

from heksherlite.grants.parse_error import ParseError

_MAX_NODES: Final = 100_000
"""The maximum number of values in a document after its aliases are expanded."""

_NAMED: Final = re.compile(r"(alias|anchor|tag|tag handle) '.*'", re.DOTALL)
_WITHOUT_NAME: Final = r"\1; quote a text that begins with &, * or !"
"""A text that begins so names an alias or a tag, and may be a secret."""

_STRING: Final = "tag:yaml.org,2002:str"
_MERGE: Final = "tag:yaml.org,2002:merge"


def key_lines(text: str) -> dict[tuple[str, ...], int]:
    """Return the line numbers, from 1, of the keys of a YAML document that was parsed without an error."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    lines: dict[tuple[str, ...], int] = {}

    def add(node: yaml.Node, keys: tuple[str, ...]) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.tag == _MERGE:
                    for merged in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                        add(merged, keys)
            for key, value in node.value:
                if key.tag != _MERGE:
                    lines[*keys, key.value] = key.start_mark.line + 1
                    add(value, (*keys, key.value))

    if node is not None:
        add(node, ())
    return lines


def parse_safe_yaml(text: str) -> Any:
    """Return the value of a YAML document, ``{}`` if it is empty.

    Raises:
        ParseError: If it is not YAML, has an object tag, a duplicate key, a key that is not a string, or aliases that
            expand to too many values.
    """
    try:
        loader = yaml.SafeLoader(text)
    except yaml.reader.ReaderError as error:
        raise ParseError(f"the character {chr(error.character)!r} is not allowed in YAML") from None
    try:
        node = loader.get_single_node()
        if node is None:
            return {}
        _NodeCounter().size(node)
        return loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        # Without the text of the error, which quotes the lines around it.
        mark = error.problem_mark or error.context_mark
        reason = _NAMED.sub(_WITHOUT_NAME, error.problem or error.context or "it is not YAML")
        if mark is None:
            raise ParseError(reason) from None
        raise ParseError(reason, mark.line + 1, mark.column + 1) from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # PyYAML raises these for a value that does not match its tag, and for the 31st of February.
        raise ParseError(f"invalid value: {type(error).__name__}") from None
    finally:
        loader.dispose()


class _NodeCounter:
    """Counts the nodes of a document, and checks the keys of its mappings."""

    def __init__(self) -> None:
        self._sizes: dict[int, int | None] = {}

    def size(self, node: yaml.Node) -> int:
        """Return the number of nodes in a node after its aliases are expanded."""
        known = self._sizes.get(id(node), 0)
        if known is None:
            raise _error_at(node, "an alias makes it contain itself")
        if known:
            return known
        self._sizes[id(node)] = None
        size = 1
        if isinstance(node, yaml.MappingNode):
            self._check_keys(node)
            size += sum(self.size(key) + self.size(value) for key, value in node.value)
        elif isinstance(node, yaml.SequenceNode):
            size += sum(map(self.size, node.value))
        if size > _MAX_NODES:
            raise _error_at(node, f"its aliases expand to more than {_MAX_NODES:,} values")
        self._sizes[id(node)] = size
        return size

    def _check_keys(self, node: yaml.MappingNode) -> None:
        seen = set()
        for key, _ in node.value:
            if key.tag == _MERGE:
                continue
            if key.tag != _STRING:
                text = f" {key.value}" if isinstance(key, yaml.ScalarNode) else ""
                raise _error_at(key, f"the key{text} is not a string; put it in quotes")
            if key.value in seen:
                raise _error_at(key, f"duplicate key {key.value!r}")
            seen.add(key.value)


def _error_at(node: yaml.Node, reason: str) -> ParseError:
    return ParseError(reason, node.start_mark.line + 1, node.start_mark.column + 1)
