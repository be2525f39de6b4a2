"""The pages of the documentation, and the code blocks on them."""

from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", *sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts))

_HIDDEN = "<!-- hidden: "


@dataclass(frozen=True)
class Block:
    """A code block.

    Attributes:
        place: Its file and line.
        heading: The heading that it is below.
        language: What stands behind the fence; empty for an indented block.
        text: What is in it.
    """

    place: str
    heading: str
    language: str
    text: str


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page, hidden ones too, without the directives of Sphinx."""
    blocks: list[Block] = []
    heading = ""
    tokens = MarkdownIt("commonmark").parse(page.read_text("utf-8"))
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        language, text = token.info.strip(), token.content
        if token.type == "heading_open" and following is not None:
            heading = following.content
        if token.type == "html_block" and text.startswith(_HIDDEN):
            first, _, rest = text.removeprefix(_HIDDEN).partition("\n")
            language, text = first.strip(), rest.rpartition("-->")[0]
        elif token.type not in {"fence", "code_block"} or language.startswith("{"):
            continue
        assert token.map is not None
        blocks.append(Block(f"{name_of(page)}:{token.map[0] + 1}", heading, language, text))
    return blocks
