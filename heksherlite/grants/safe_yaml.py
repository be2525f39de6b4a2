"""YAML by PyYAML's safe loader, with clear errors. Aliases that stand for too much are refused before they unfold."""

from typing import Any, Final

import yaml

from heksherlite.grants.malformed import Malformed

_NODES: Final = 100_000
"""How many values a document may have when its aliases are replaced by what they stand for."""

_STRING: Final = "tag:yaml.org,2002:str"
_MERGE: Final = "tag:yaml.org,2002:merge"


def safe_yaml(text: str) -> Any:
    """Return what a YAML document says; an empty one is an empty mapping.

    Raises:
        Malformed: If it is not YAML, has tags of objects, a key twice or one that is no string, or unfolds too much.
    """
    try:
        loader = yaml.SafeLoader(text)
    except yaml.reader.ReaderError as error:
        raise Malformed(f"the character {chr(error.character)!r} is not allowed in YAML") from None
    try:
        node = loader.get_single_node()
        if node is None:
            return {}
        _Check().size(node)
        return loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        # Not its own text, which quotes the lines around it.
        mark = error.problem_mark or error.context_mark
        reason = error.problem or error.context or "it is not YAML"
        if mark is None:
            raise Malformed(reason) from None
        raise Malformed(reason, mark.line + 1, mark.column + 1) from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # What PyYAML raises for a value that is not what its tag says, or the 31st of February.
        raise Malformed(f"a value is not possible: {type(error).__name__}") from None
    finally:
        loader.dispose()


class _Check:
    """Counts the nodes of a document, and looks at the keys of its mappings."""

    def __init__(self) -> None:
        self._sizes: dict[int, int | None] = {}

    def size(self, node: yaml.Node) -> int:
        """Return how many nodes a node stands for when all aliases are replaced."""
        known = self._sizes.get(id(node), 0)
        if known is None:
            raise _malformed(node, "it contains itself, by an alias")
        if known:
            return known
        self._sizes[id(node)] = None
        size = 1
        if isinstance(node, yaml.MappingNode):
            self._check_keys(node)
            size += sum(self.size(key) + self.size(value) for key, value in node.value)
        elif isinstance(node, yaml.SequenceNode):
            size += sum(map(self.size, node.value))
        if size > _NODES:
            raise _malformed(node, f"it stands for more than {_NODES:,} values, with its aliases")
        self._sizes[id(node)] = size
        return size

    def _check_keys(self, node: yaml.MappingNode) -> None:
        seen = set()
        for key, _ in node.value:
            if key.tag == _MERGE:
                continue
            if key.tag != _STRING:
                text = f" {key.value}" if isinstance(key, yaml.ScalarNode) else ""
                raise _malformed(key, f"the key{text} is not a string; put it in quotes")
            if key.value in seen:
                raise _malformed(key, f"the key {key.value!r} is there twice")
            seen.add(key.value)


def _malformed(node: yaml.Node, reason: str) -> Malformed:
    return Malformed(reason, node.start_mark.line + 1, node.start_mark.column + 1)
