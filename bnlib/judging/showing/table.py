"""The table of one examination: what was looked at row by row, and the message of the first that failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bnlib.judging.asked import Checks
from bnlib.judging.case import Case
from bnlib.judging.comparing import agrees
from bnlib.judging.diagnosing.evidence import Finding
from bnlib.judging.showing.report import Report, Row
from bnlib.numerics import Array, relative_error
from bnlib.stubs import NotFilledError, Stub


class Table:
    """The table of one examination: names of the rows are fixed, so that right answers all print the same."""

    def __init__(self, checks: Checks) -> None:
        self.stub, self.outputs = checks.stub, checks.outputs
        shown = " and ".join(checks.stub.returns)
        self.names = [
            f"runs, and returns its {len(checks.stub.returns)} values"
            if checks.walk
            else "all methods run, and return what they should in the right shape"
            if checks.stub.methods
            else f"runs, and returns a {shown}"
            if checks.choice
            else f"runs, and returns {shown} in the right shape",
            "leaves its input unchanged",
            *(f"{name} agrees with {checks.against}" for name in checks.outputs),
            *(prop.name for prop in checks.properties),
            "gives the same result when called again",
        ]
        self.stations: dict[int, tuple[bool | None, str]] = {}

    def fail(self, index: int, message: str, *mistakes: str) -> Report:
        """The report when row ``index`` is the first to fail."""
        index %= len(self.names)
        rows = [Row(name, True) for name in self.names[:index]]
        rows.append(Row(self.names[index], False, message))
        rows += [Row(name, None) for name in self.names[index + 1 :]]
        for place, (ok, detail) in self.stations.items():
            seen = False if place == index else ok
            rows[place] = replace(rows[place], ok=seen, detail=detail)
        return Report(self.stub.id, tuple(rows), f"hint({self.stub.id}) gives a hint.", mistakes)

    def undone(self, error: Exception) -> Report:
        """The report when the exercise, or one that it needs, is still empty."""
        report = self.fail(0, _empty(self.stub, error), "empty")
        word = "waits" if report.message.startswith(WAITS) else "empty"
        return replace(report, rows=(replace(report.rows[0], undone=word), *report.rows[1:]))

    def wrong(self, findings: Mapping[str, Finding]) -> Report:
        """The report when these outputs are wrong; the first that has a name says why, the others where it is another mistake."""
        first, *others = findings
        silent = findings[first].names == ("unnamed",) and any(
            findings[other].names != ("unnamed",) for other in others
        )
        message = "" if silent else findings[first].message
        report = self.fail(2 + self.outputs.index(first), message, *findings[first].names)
        rows, names = list(report.rows), list(findings[first].names)
        for index, output in enumerate(self.outputs, 2):
            if output in others:
                new = [name for name in findings[output].names if name not in (*names, "unnamed")]
                rows[index] = replace(rows[index], ok=False, message=findings[output].message if new else "")
                names += new
            elif rows[index].ok is None and not self.stations:
                rows[index] = replace(rows[index], ok=True)
        known = [name for name in names if name != "unnamed"]
        return replace(report, rows=tuple(rows), names=tuple(known or names))

    def passed(self, remarks: tuple[str, ...]) -> Report:
        """The report when every row is right."""
        rows = tuple(Row(name, True, detail=self.stations.get(i, (True, ""))[1]) for i, name in enumerate(self.names))
        return Report(self.stub.id, rows, "Visible checks passed; hidden tests grade more.", (), remarks)


def stations_of(
    checks: Checks, cases: Sequence[Case], results: Sequence[dict[str, Array]], expected: Sequence[dict[str, Array]]
) -> dict[int, tuple[bool | None, str]]:
    """For each row that stands for an output of a walk: whether it agrees, and its largest difference in words."""
    found: dict[int, tuple[bool | None, str]] = {}
    for row, name in enumerate(checks.outputs, 2):
        triples = [(c, r[name], e[name]) for c, r, e in zip(cases, results, expected, strict=True) if name in r]
        if len(triples) < len(cases):
            found[row] = None, "not written yet"
        elif any(got.shape != right.shape for _, got, right in triples):
            found[row] = False, "wrong shape"
        elif all(agrees(checks, name, *triple) for triple in triples):
            found[row] = True, f"difference below {checks.tolerance:.0e}".replace("e-0", "e-")
        else:
            largest = max(relative_error(got, right) for _, got, right in triples)
            found[row] = False, f"largest difference {largest:.2g}"
    return found


def behind(stub: Stub, earlier: Stub, message: str) -> str:
    """A message on an exercise that builds on one that is not right yet: it may be right itself, and nobody can tell."""
    how = "works on its cache" if stub.cache_of == earlier.name else "calls it"
    return (
        f"{earlier.name} is not right yet, and {stub.name} {how}: check({earlier.id}) comes first. As it is: {message}"
    )


def report_behind(report: Report, stub: Stub, earlier: Stub) -> Report:
    """A report with such a message."""
    first = next(index for index, row in enumerate(report.rows) if row.ok is False)
    rows = list(report.rows)
    rows[first] = replace(rows[first], message=behind(stub, earlier, rows[first].message))
    return replace(report, rows=tuple(rows))


WAITS = "it needs another exercise first"
"""How the message of an exercise begins that calls one that is still empty."""


def _empty(stub: Stub, error: Exception) -> str:
    if isinstance(error, NotFilledError):
        return f"{WAITS}. {error}"
    said = str(error).removesuffix(" is still empty")
    if said != stub.name and said in stub.lesson.stubs:
        return f"{WAITS}: {error}."
    method = f"{error}: " if said in [f"{stub.name}.{name}" for name in stub.methods] else ""
    return f"{method}write it in the cell above, run that cell, then this one again."
