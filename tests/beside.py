"""The judge of the web page's derivation pad beside the judge in ``bnlib/chains/``: the same texts, and what each of them finds.

``tests/chains/test_pad.py`` asks the one in node, ``tests/browser/`` in Chromium, ``benchmarks/pads.py`` on thousands of random lines.
"""

import json

import pads
from deriving import exercises
from refused import ATTACKS, REFUSED

from bnlib.chains.course import ground_of
from bnlib.chains.judge import judge
from bnlib.chains.report import report
from bnlib.checks import chain_of
from bnlib.language.reading import HATS, SIGNS
from bnlib.language.tree import FUNCTIONS
from bnlib.language.writing import latex
from bnlib.stubs import lessons, normalization

NO_WORDS = ("lambda", ":=", "f'", "[mu for", "[x for")
"""Python's own grammar knows these and says that they mean nothing here; the pad calls them no formula. Nobody types them in a derivation."""


def chains():
    """Every chain of the collection, right and wrong: 1080 and more."""
    return [
        (each.stub, text)
        for each in exercises()
        for text in (*each.right.values(), *(wrong.text for wrong in each.wrong))
    ]


def begun():
    """The course's derivations, broken off behind each line."""
    for lesson in lessons():
        for stub in lesson.derivations.values():
            own = chain_of(stub).lines
            yield from ((stub, "\n= ".join(own[:count])) for count in range(len(own) + 1))


def refused():
    """What no derivation holds."""
    stub = normalization.input_gradient
    return [(stub, f"{stub.start}\n= {text}") for text in (*REFUSED, *ATTACKS.values())]


def everything():
    """Each sign and each function of the language, also differentiated once and twice: lines that do not hold tell their value."""
    stub = normalization.input_gradient
    inside = [f"{name}(x[i]**2 + var)" for name in FUNCTIONS]
    inside += [
        "mean((x[k] - x[i])**4 for k in N if k != i)",
        "variance(x * dout) * x[i]",
        "(var + eps)**(-1.5) * x[i]",
        "x[i]**0.333",
    ]
    inside += ["0.5625", "0.5635 * 10", "1 / sqrt(var + 1 / (1 - 1))"]
    inside += [f"x[i] {sign} mu" for sign in SIGNS] + [f"{hat}[i]" for hat in HATS]
    return [
        (stub, f"{stub.start}\n= {text.format(each)}")
        for each in inside
        for text in ("{}", "d({}, x[i])", "d(d({}, x[i]), x[i])")
    ]


def program(cases):
    """An expression of JavaScript: what the pad finds in each text."""
    given = {stub.id: pads.exercise(stub) for stub, _ in cases}
    page = pads.live.joined([(pads.HERE / "pad.js").read_text("utf-8").partition("/** The text as")[0]])
    return f"""(() => {{ {pads.language()} {page}
      const given = {pads.live.as_json(given)};
      return {json.dumps([(stub.id, text) for stub, text in cases])}.map(([id, text]) => {{
        const found = judge(given[id], text, GRAMMAR), lines = found.lines;
        return {{
          wrong: found.wrong, reached: found.reached, unfinished: found.unfinished, message: found.message,
          lines: lines.map((line) => line.text), points: standing(given[id], found, GRAMMAR).points,
          latex: lines.map((line) => (line.tree ? latex(line.tree, given[id].typeset) : "")),
        }};
      }});
    }})()"""


def expected(stub, text):
    """What the judge of the course finds in a text, without the name of the mistake."""
    found = judge(ground_of(stub), text, stub.form, stub.waypoints, name=False)
    return {
        "wrong": -1 if found.wrong is None else found.wrong,
        "reached": list(found.reached or (False,) * len(stub.waypoints)),
        "unfinished": found.unfinished,
        "message": found.message,
        "lines": [line.piece.text for line in found.lines],
        "points": f"{report(stub, found).earned} of {stub.points} points",
        "latex": [latex(line.tree, found.ground.names) if line.tree else "" for line in found.lines],
    }


def differences(cases, found):
    """Where the two judges differ, as text; none where they agree on everything."""
    assert len(cases) == len(found)
    differ = []
    for (stub, text), got in zip(cases, found, strict=True):
        wanted = expected(stub, text)
        if "this is no formula, near" in wanted["message"]:  # where exactly, each grammar says in its own way
            wanted["message"], got["message"] = (
                said.partition(", near")[0] for said in (wanted["message"], got["message"])
            )
        if got["message"] and wanted["message"] and any(word in text for word in NO_WORDS):
            wanted["message"] = got["message"]
        differ += [
            f"{stub.id} {text[:300]!r} {key}: {got[key]!r}, and the course says {wanted[key]!r}"[:1000]
            for key in wanted
            if got[key] != wanted[key]
        ]
    return differ
