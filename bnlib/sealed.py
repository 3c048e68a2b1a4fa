"""Folders whose files spell out answers: packed in the learners' bundle so that neither eye nor grep reads them.

This keeps an answer from being met by accident. It is no lock: who runs Python can open it (``docs/security.md``). In the source tree
nothing is packed, and nothing here does anything.
"""

from __future__ import annotations

import base64
import functools
import importlib.abc
import importlib.machinery
import importlib.util
import json
import sys
import textwrap
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

FOLDERS = ("checks", "network")
"""Folders of bnlib that are sealed, with modules and data files alike; their own ``__init__.py`` stays as it is."""

PACK = "sealed.txt"
"""Name of the pack, in the folder of bnlib."""

_HERE = Path(__file__).parent


def is_sealed(name: str) -> bool:
    """True for a file that belongs into the pack; its name is relative to the folder of bnlib, with slashes."""
    return name.split("/")[0] in FOLDERS and name.count("/") > 0 and name not in {f"{f}/__init__.py" for f in FOLDERS}


def pack(files: Mapping[str, str]) -> str:
    """Texts by name as one text that says nothing; the same files give the same text."""
    squeezed = zlib.compress(json.dumps(dict(sorted(files.items()))).encode(), 9)
    return "\n".join(textwrap.wrap(base64.b85encode(squeezed).decode(), 120)) + "\n"


def unpack(text: str) -> dict[str, str]:
    """What :func:`pack` packed."""
    return json.loads(zlib.decompress(base64.b85decode("".join(text.split()))))


def read_text(name: str) -> str:
    """A data file of bnlib, sealed or not.

    Args:
        name: Relative to the folder of bnlib, with slashes.

    Raises:
        FileNotFoundError: There is none.
    """
    return _packed().get(name) or (_HERE / name).read_text(encoding="utf-8")


def install() -> None:
    """Let sealed modules be imported, where there is a pack."""
    if (_HERE / PACK).is_file() and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())


@functools.cache
def _packed() -> dict[str, str]:
    path = _HERE / PACK
    return unpack(path.read_text(encoding="ascii")) if path.is_file() else {}


class _Finder(importlib.abc.MetaPathFinder):
    """Finds modules in the pack, after those that are files."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec of a sealed module; None for all others."""
        top, _, rest = fullname.partition(".")
        if top != __package__ or not rest:
            return None
        stem = rest.replace(".", "/")
        for name, is_package in ((f"{stem}.py", False), (f"{stem}/__init__.py", True)):
            if name in _packed():
                return importlib.util.spec_from_loader(fullname, _Loader(_packed()[name]), is_package=is_package)
        return None


class _Loader(importlib.abc.Loader):
    """Runs a module's text; it offers no source to tracebacks, which would print it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def exec_module(self, module: ModuleType) -> None:
        """Run the text in the module."""
        exec(compile(self._text, f"<{module.__name__}>", "exec", dont_inherit=True), module.__dict__)  # noqa: S102
