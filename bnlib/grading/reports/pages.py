"""From a template of ``templates/`` to a page: HTML in one file that loads nothing, everything from outside escaped."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from bnlib.grading.reports import words
from bnlib.judging.showing.report import printable


def render(template: str, *, script: str = "", **facts: Any) -> str:
    """A page.

    Args:
        template: Its name in ``templates/``.
        script: Name of the one script that it may run.
        facts: What the template shows.
    """
    pages = _pages()
    code = pages.get_template(script).render() if script else ""
    return pages.get_template(template).render(script=code, **facts)


@cache
def _pages() -> Environment:
    pages = Environment(
        loader=PackageLoader("bnlib.grading.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: printable(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters |= {
        "by_hand": words.by_hand,
        "digest": _digest,
        "failing": words.failing,
        "isolation": words.isolation,
        "message": words.message,
        "sentence": words.sentence,
        "solved": words.solved,
        "status": words.status,
        "to_look_at": words.to_look_at,
    }
    return pages


def _digest(script: str) -> str:
    """A script by its digest, as a content security policy names the one that may run."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"
