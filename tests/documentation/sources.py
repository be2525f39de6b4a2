"""The modules of the package, parsed once for all tests that look into them."""

import ast
from functools import cache

from tests.documentation.pages import ROOT

PACKAGE = ROOT / "heksherlite"


@cache
def nodes() -> list[tuple[str, list[ast.AST]]]:
    """Return the name of each module, such as ``clients/runner.py``, and all nodes of its code."""
    return [
        (path.relative_to(PACKAGE).as_posix(), list(ast.walk(ast.parse(path.read_text("utf-8")))))
        for path in sorted(PACKAGE.rglob("*.py"))
    ]
