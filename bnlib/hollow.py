"""Stand-ins for what draws, or trains to be drawn, where nobody looks: importing matplotlib takes longer than grading ten people.

A hollow module has every name one may ask it for; what the names stand for can be called, indexed and used as a context
or a decorator, and nothing comes of it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

DRAWING = (
    "matplotlib",
    "mpl_toolkits",
    "seaborn",
    "plotly",
    "ipywidgets",
    "bnlib.plots",
    "bnlib.compare",
    "bnlib.network",
    "tqdm.notebook",
)


class Nothing:
    """Takes every use and does nothing."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Nothing; as a decorator (``@interact``) it leaves the function alone."""
        return args[0] if len(args) == 1 and not kwargs and callable(args[0]) else self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, key: Any) -> Any:
        return self

    def __setitem__(self, key: Any, value: Any) -> None:
        """Settings (``rcParams["font.size"] = 12``) are dropped."""

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *args: object) -> None:
        """Nothing to close."""

    def __iter__(self) -> Iterator[Any]:
        # fig, ax = plt.subplots()
        return iter((self, self))

    def _stays(self, *others: Any) -> Any:
        return self

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __neg__ = _stays

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        return (object,)


class HollowModule(ModuleType):
    """A module in which every name is there."""

    __path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Nothing()


class Finder(MetaPathFinder, Loader):
    """Finds a hollow module under each name of :data:`DRAWING`, before the import system looks for a real one."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """A specification for hollow modules, None for others."""
        if any(name == known or name.startswith(f"{known}.") for known in DRAWING):
            return ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """An empty module."""
        return HollowModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is in it."""


def install() -> None:
    """Use hollow modules from now on."""
    sys.meta_path.insert(0, Finder())
