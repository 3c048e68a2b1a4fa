"""docs/glossary.md: each word is at work where its link points."""

import re
from pathlib import Path

import pytest

from bnlib.notebooks import parse
from bnlib.stubs import lesson_of

ROOT = Path(__file__).parent.parent
ENTRY = re.compile(r"(?m)^- \*\*(.+)\*\*: .*\. \(\[(\d\d), (\d+)\]\(\.\./notebooks/(\w+)\.ipynb\)\)$")
TEXT = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
ENTRIES = ENTRY.findall(TEXT)


@pytest.mark.parametrize(("word", "lesson", "section", "name"), ENTRIES, ids=[entry[0] for entry in ENTRIES])
def test_the_word_stands_in_the_section(word, lesson, section, name):
    assert lesson_of(lesson).key == name
    cells = parse(ROOT / "notebooks" / f"{name}.ipynb")["cells"]
    text = "\n".join(cell["source"] if cell["cell_type"] == "markdown" else "" for cell in cells)
    (found,) = re.finditer(rf"(?ms)^(##+) {section}\. .*?(?=^(?!\1#)#+ |\Z)", text)
    assert word.lower() in re.sub(r"[*_`\s]+", " ", found[0].lower())


def test_every_line_is_an_entry_and_they_are_in_order():
    words = [entry[0].lower() for entry in ENTRIES]
    assert len(words) == TEXT.count("\n- ")
    assert words == sorted(set(words))
