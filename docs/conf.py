"""Configuration of the documentation site: ``sphinx-build -W -n --keep-going docs docs/_build``."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from sphinx.application import Sphinx

from heksherlite import __version__

project = "heksherlite"
author = "the heksherlite contributors"
copyright = f"2026, {author}"  # noqa: A001 - the name is Sphinx's
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_click", "openapi_pages"]
exclude_patterns = ["_build"]

myst_enable_extensions = ["attrs_inline", "deflist"]
myst_heading_anchors = 4  # a link to `page.md#heading` is checked

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

# No other project's inventory is fetched, so only names of this package are checked.
nitpick_ignore_regex = [
    ("py:.*", r"(?!heksherlite).*"),
    ("py:.*", r"heksherlite\..*\.[A-Z]"),  # type variables
    ("py:class", r"heksherlite\..*secret\.Secret"),  # a parameter that is a string for users
]

html_theme = "furo"
html_title = f"heksherlite {release}"
html_extra_path = ["llms.txt"]
html_copy_source = False
html_show_copyright = False


def escape_help(_app: Sphinx, _context: object, lines: list[str]) -> None:
    """Keep asterisks and underscores of help texts from being read as markup."""
    lines[:] = [line if line.lstrip().startswith(("..", ":")) else re.sub(r"[*_]", r"\\\g<0>", line) for line in lines]


def setup(app: Sphinx) -> None:
    """Register what this file adds to Sphinx."""
    app.connect("sphinx-click-process-options", escape_help)
