"""Sphinx: the pages beside this file, and a reference made from the docstrings. Built by `make docs`."""

import importlib.metadata
import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from synthaug.augment.options import flag_of

project = "synthaug"
release = importlib.metadata.version("synthaug")
copyright = "the authors of synthaug, Apache-2.0"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["build"]
html_theme = "furo"
html_title = "synthaug"
myst_heading_anchors = 4
default_role = "literal"  # `name` in a docstring is a name
maximum_signature_line_length = 88
smartquotes = False  # --flag is no dash

ARRAY = re.compile(
    r"~?numpy\.ndarray\[tuple\[~?typing\.Any, \.\.\.\], ~?numpy\.dtype\[~?(?:numpy|typing)\.(\w+?)_?\]\]"
)
ARRAY_LIKE = re.compile(r"~?_?\w*\.?_Buffer \|.*?NestedSequence\[complex \| bytes \| str\]")

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True}
python_use_unqualified_type_names = True
napoleon_attr_annotations = False  # shapes and types are said in words
napoleon_use_ivar = True  # else a documented attribute that is a property would stand there twice


def write_out_names(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Keep `low, high` two names, which Sphinx takes for a type and a name, and `fitted_` no link."""
    for number, line in enumerate(lines):
        if found := re.match(r":ivar ([\w, ]+):", line):
            names = re.sub(r"_(?=,|$)", r"\\_", found[1].replace(", ", ","))
            lines[number] = f":ivar {names}:{line[found.end() :]}"


def describe_options(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Fields of a record of options that its docstring leaves to their help texts."""
    if what != "class" or not is_dataclass(thing):
        return
    given = {
        name for line in lines if line.startswith(":ivar ") for name in line.split(":")[1][5:].split(",")
    }
    for field in fields(thing):
        if "help" in field.metadata and field.name not in given:
            lines.append(f":ivar {field.name}: {field.metadata['help']} (``{flag_of(field)}``)")


def shorten_arrays(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """`NDArray[uint8]` and `ArrayLike` in place of what numpy defines them as."""
    short = [text and ARRAY.sub(r"NDArray[\1]", text) for text in (signature, returns)]
    signature, returns = (text and ARRAY_LIKE.sub("ArrayLike", text) for text in short)
    return signature and signature.replace("<factory>", "..."), returns


def name_files_outside(app: Sphinx, page: str, source: list[str]) -> None:
    """Links to files of the checkout that are not below docs/, which a site does not have: as their names."""
    folder = (Path(app.srcdir) / page).parent

    def as_here(link: re.Match[str]) -> str:
        text, target = link.groups()
        path = (folder / target.split("#")[0]).resolve()
        if not path.exists() or path.is_relative_to(app.srcdir):
            return link[0]
        return f"{text} (`{path.relative_to(Path(app.srcdir).parent)}`)"

    source[0] = re.sub(r"(?<!!)\[([^]]+)\]\((\.\.[^)]*)\)", as_here, source[0])


def setup(app: Sphinx) -> None:
    """Connect what this file adds."""
    app.connect("autodoc-process-signature", shorten_arrays)
    app.connect("source-read", name_files_outside)
    app.connect("autodoc-process-docstring", write_out_names, priority=800)
    app.connect("autodoc-process-docstring", describe_options, priority=900)  # after napoleon
