"""The derivation pad of the web page judges as the course does: every line, every point, every word. In Chromium: ``tests/browser/``."""

import json
import shutil
import subprocess

import pads
import pytest
from beside import begun, chains, differences, everything, program, refused

from bnlib.notebooks import derivation
from bnlib.stubs import derive_source, lessons, normalization

NODE = shutil.which("node")
calculated = pytest.mark.skipif(NODE is None, reason="no node here to run the pad's program with")


def answered(expression):
    """The value of an expression of JavaScript."""
    text = f"console.log(JSON.stringify({expression}));"
    said = subprocess.run([NODE, "--input-type=module", "-"], input=text, capture_output=True, text=True, check=True)
    return json.loads(said.stdout)


@calculated
@pytest.mark.parametrize("cases", [chains, begun, refused, everything])
def test_the_pad_finds_what_the_judge_finds(cases):
    cases = list(cases())
    assert differences(cases, answered(program(cases))) == []


def test_there_is_much_to_compare():
    assert len(chains()) >= 1080
    assert len(list(begun())) >= 100


@calculated
@pytest.mark.parametrize(
    "text", ["d(L, x[i])\n= 0  # none", 'd(L, x[i])\n= 0 + \\\n  0  # """ \\n \\'], ids=["plain", "odd"]
)
def test_a_copied_text_is_read_as_it_was_typed(text):
    stub = normalization.input_gradient
    page = pads.live.joined([(pads.HERE / "pad.js").read_text("utf-8").partition("/** What this browser")[0]])
    made = answered(
        f"(() => {{ {page} return cell({pads.live.as_json(pads.exercise(stub))}, {json.dumps(text)}); }})()"
    )
    given = []
    exec(made, {"derive": lambda _, typed: given.append(typed), "normalization": normalization})
    assert given == [derivation(made)]
    assert given[0].strip() == text.replace('"""', "'''")
    assert ("\\" in text) or made == derive_source(stub, text.split("\n"))


def test_a_page_needs_nothing_from_anywhere():
    text = pads.program()
    assert "import " not in text
    assert "export " not in text
    assert "fetch(" not in text
    assert "</" not in text
    for lesson in lessons():
        for stub in lesson.derivations.values():
            assert pads.pad(stub) == pads.pad(stub)
