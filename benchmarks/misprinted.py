"""How many misprints of the numbered displays the test of the equations notices: all edits that :mod:`misprints` makes."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from displays import lessons_with_displays
from misprints import misprints, noticed


def main() -> None:
    """Print a line for each lesson, and each misprint that is not noticed."""
    for name, path in lessons_with_displays():
        made, found = Counter(), Counter()
        for display, edited in misprints(name, path):
            for kind, latex in edited:
                made[kind] += 1
                found[kind] += (good := noticed(name, display.number, latex))
                if not good:
                    print(f"not noticed in {display}, {kind}: {latex}")
        kinds = ", ".join(f"{kind} {found[kind]}/{count}" for kind, count in made.most_common())
        print(f"{path.stem}: {found.total()} of {made.total()} misprints noticed ({kinds})")


if __name__ == "__main__":
    main()
