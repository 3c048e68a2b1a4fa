"""How Sphinx makes pages of what ``compose.py`` wrote. Numbered equations get an address, and mentions of them lead there.

Where a browser runs no script, formulas stand as MathML.
"""

from __future__ import annotations

import re
from html import escape, unescape
from typing import Any

import pads
from docutils import nodes
from latex2mathml.converter import convert
from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

import bnlib
from bnlib.stubs import lessons

project = "The gradient of batch normalization"
author = "the bnlib authors"
project_copyright = "the bnlib authors; text and figures CC BY 4.0, code MIT"
version = release = bnlib.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["download", "README.md"]
nb_execution_mode = "off"
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 4
suppress_warnings = ["myst.header"]  # docs/formulas.md skips a level
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings say what is meant

html_theme = "furo"
html_title = project
html_static_path = ["static"]
html_css_files, html_js_files = ["page.css"], ["page.js"]
html_favicon = "static/icon.svg"
html_copy_source = html_show_sourcelink = False
highlight_language = "text"  # a block that names no language is a command or a drawing
pygments_style, pygments_dark_style = "a11y-high-contrast-light", "a11y-high-contrast-dark"
mathjax_path = "tex-svg.js"  # shipped with the page
mathjax3_config = {"options": {"enableMenu": False}}

_TAG = re.compile(r"\\tag\{([\d.]+)\}")
_MENTION = re.compile(r"(?:(?<=\()|(?<=eq\. )|(?<=eqs\. ))([1-9]\.\d+)\b(?!\+)")
_MATH = re.compile(r'<(span|div) class="math [^>]*>\s*\\([(\[])(.*?)\\[)\]]\s*</\1>', re.DOTALL)
_NO_SCRIPT = "<noscript><style>.math { display: none; }</style></noscript>"
_PAGES = {lesson.key[1]: f"lessons/{lesson.key}" for lesson in lessons()}


def _number(app: Sphinx, doctree: nodes.document) -> None:
    """Displays with a number of their own go to MathJax as they stand: Sphinx would wrap them, and ``split`` takes no tag."""
    for node in list(doctree.findall(nodes.math_block)):
        found = _TAG.search(node.astext())
        if found:
            address = f"eq-{found[1]}"
            html = f'<div class="math notranslate nohighlight" id="{address}">\\[{escape(node.astext())}\\]</div>'
            node.replace_self(nodes.raw("", html, format="html"))


def _lead(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Mentions of an equation become links, wherever they are plain text."""
    if page == "formulas":
        return
    for text in list(doctree.findall(nodes.Text)):
        inside = text.parent
        if isinstance(
            inside, nodes.literal | nodes.literal_block | nodes.reference | nodes.math | nodes.raw | nodes.title
        ):
            continue
        parts: list[Any] = _MENTION.split(text.astext())
        for place in range(1, len(parts), 2):
            number = parts[place]
            there = _PAGES.get(number[0])
            if there:
                uri = f"{app.builder.get_relative_uri(page, there)}#eq-{number}"
                parts[place] = nodes.reference("", number, refuri=uri, internal=True)
        if len(parts) > 1:
            inside.replace(text, [nodes.Text(part) if isinstance(part, str) else part for part in parts])


def _level(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """Captions of tables of contents are headings of the theme's; what is heard needs their level."""
    for part in ("body", "furo_navigation_tree"):
        if context.get(part):
            context[part] = context[part].replace(
                'class="caption" role="heading"', 'class="caption" role="heading" aria-level="2"'
            )


def _legible(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """Behind each formula that MathJax sets stands the same as MathML, which is read where no script runs."""
    context["metatags"] = context.get("metatags", "") + _NO_SCRIPT
    for part in ("body", "toc"):
        if context.get(part):
            context[part] = _MATH.sub(_both, context[part])


def _both(found: re.Match[str]) -> str:
    display = "block" if found[2] == "[" else "inline"
    mathml = convert(unescape(found[3]), display=display).replace("<mtext>(", '<mspace width="2em"/><mtext>(')
    return f"{found[0]}<noscript>{mathml}</noscript>"


def _pads(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """The program of the derivation pads, on pages that have one."""
    if 'data-figure="pad"' in context.get("body", ""):
        app.add_js_file(None, body=pads.program(), type="module")


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.add_lexer("csv", TextLexer)  # which GitHub colours
    app.connect("doctree-read", _number)
    app.connect("doctree-resolved", _lead)
    app.connect("html-page-context", _level, priority=900)  # after the theme has made its navigation
    app.connect("html-page-context", _legible)
    app.connect("html-page-context", _pads)
