"""What a run looks like: a feedback page a student, a page about the class. Plain HTML, no script, nothing loaded."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from bnlib.grading.process.protocol import printable
from bnlib.grading.result import NOT_GRADED, RIGHT, Exercise, LessonResult, NbvalResult, Points, Record, Result
from bnlib.stubs import Lesson

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --paper: #ffffff; --line: #d0d7de; --wash: #f6f8fa;
  --good: #0b6b3a; --bad: #b3360b; --bar: #1f6feb; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9da7b1; --paper: #0d1117; --line: #30363d;
  --wash: #161b22; --good: #56d390; --bad: #ff9a6b; --bar: #58a6ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 52rem; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif; color: var(--ink);
  background: var(--paper); overflow-wrap: break-word; }
h1 { font-size: 1.4rem; line-height: 1.25; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.total { font-size: 1.2rem; font-weight: 600; }
.soft { color: var(--soft); font-size: .9rem; }
.exercise { border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .8rem; margin: .6rem 0; background: var(--wash); }
.exercise header { display: flex; flex-wrap: wrap; gap: .25rem 1rem; justify-content: space-between; font-weight: 600; }
.exercise p { margin: .4rem 0 0; }
.right { color: var(--good); } .wrong { color: var(--bad); }
code { font: .92em ui-monospace, monospace; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
td code { white-space: nowrap; }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number, th.number { text-align: right; white-space: nowrap; }
svg { width: 100%; height: auto; } svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
svg.share { width: 8rem; }
svg rect, svg circle { fill: var(--bar); } svg line { stroke: var(--line); } svg circle + text { font-size: 10px; }
li { margin: .3rem 0; }
"""

_STATUS = {
    "right": ("✓ right", "right"),
    "wrong": ("✗ not right", "wrong"),
    "empty": ("✗ empty", "wrong"),
    "missing": ("✗ missing", "wrong"),
    "not graded": ("not graded", "wrong"),
}

_MISSING = {
    "missing": "there is no answer cell",
    "not graded": "your teacher has been told that this could not be graded",
}


def feedback_page(result: Result) -> str:
    """The page of one student."""
    parts = [f"<h1>{_text(result.student)}</h1>", f"<p class='total'>{_points(result)}</p>"]
    parts += _list(result.reasons, "What could not be read")
    parts += _list(result.notes, "Which files counted")
    for lesson in result.lessons.values():
        parts += _lesson(lesson)
    parts.append(
        "<p class='soft'>An exercise earns its points when every hidden test of it passes. Hidden tests look at more inputs "
        "than the notebook's own check." + "".join(f" {_text(words)}" for words in _isolation([result])) + "</p>"
    )
    return _page(f"Feedback: {result.student}", parts)


def feedback_data(result: Result) -> dict[str, Any]:
    """What the page of one student says, as data: without what concerns the teacher alone."""
    lessons = {}
    for key, lesson in result.lessons.items():
        exercises = [
            _chosen(each, "name", "points", "score", "status", "remarks") | {"message": _message(each)}
            for each in lesson.exercises
        ]
        shown = _chosen(lesson, "title", "score", "max", "reason", "nbval", "isolation")
        lessons[key] = {**shown, "exercises": exercises}
    return _chosen(result, "student", "score", "max", "reasons", "notes", "files") | {"lessons": lessons}


def _chosen(record: Record, *names: str) -> dict[str, Any]:
    data = record.to_json()
    return {name: data[name] for name in names}


def reason(result: Result) -> str:
    """Why points are missing, in a line for the gradebook; "" when none are."""
    parts = [*result.reasons]
    for lesson in result.lessons.values():
        if lesson.reason:
            parts += [lesson.reason] if lesson.reason not in "; ".join(parts) else []
            continue
        parts += [f"{each.name}: {_message(each)}" for each in lesson.exercises if each.status != RIGHT]
    return "; ".join(parts)


def _lesson(lesson: LessonResult) -> list[str]:
    parts = [f"<h2>{_text(lesson.title)} <span class='soft'>{_text(lesson.lesson)}</span></h2>"]
    parts.append(f"<p>{_points(lesson)}</p>")
    if lesson.reason:
        parts.append(f"<p class='wrong'>{_text(_sentence(lesson.reason))}</p>")
        return parts
    for each in lesson.exercises:
        words, colour = _STATUS[each.status]
        parts.append(
            f"<section class='exercise'><header><code>{_text(each.name)}</code>"
            f"<span class='{colour}'>{words} · {each.score} of {each.points}</span></header>"
        )
        if message := _message(each):
            parts.append(f"<p>{_text(_sentence(message))}</p>")
        parts += [f"<p class='soft'>Note: {_text(remark)}</p>" for remark in each.remarks]
        parts.append("</section>")
    if lesson.nbval:
        parts.append(_nbval(lesson.nbval))
    return parts


def _message(each: Exercise) -> str:
    """What to tell a student about an exercise; faults of the grader are for the teacher."""
    if each.status == NOT_GRADED or not each.message:
        return _MISSING.get(each.status, "")
    return each.message


def _nbval(nbval: NbvalResult) -> str:
    """What nbval saw, in a paragraph."""
    if nbval.fault:
        return "<p class='soft'>The notebook could not be run from top to bottom, through no fault of yours.</p>"
    if nbval.passed:
        return "<p class='soft'>Run from top to bottom, the notebook prints what the solution prints.</p>"
    failed = [cell for cell in nbval.cells if cell.outcome == "failed"]
    skipped = sum(cell.outcome == "not run" for cell in nbval.cells)
    said = f"Run from top to bottom, {len(failed)} of {nbval.ran} cells did not do what they do in the solution"
    said += f", and {skipped} were not run" if skipped else ""
    said += f" ({nbval.message})" if nbval.message else ""
    items = "".join(f"<li><code>{_text(cell.id)}</code>: {_text(cell.message)}</li>" for cell in failed)
    return f"<details class='soft'><summary>{_text(said)}.</summary><ul>{items}</ul></details>"


def _isolation(results: Iterable[Result]) -> list[str]:
    """With what answers were kept apart from everything else, in sentences: of hidden tests and of nbval's kernels."""
    lessons = [lesson for result in results for lesson in result.lessons.values()]
    workers = {lesson.isolation for lesson in lessons} - {""}
    kernels = {lesson.nbval.isolation for lesson in lessons if lesson.nbval} - {""}
    if workers == kernels:
        return [f"Answers and notebooks were run in processes of their own; {level}." for level in sorted(workers)]
    said = [f"Answers were run in a process of their own; {level}." for level in sorted(workers)]
    return said + [f"Notebooks were run by nbval in a kernel of their own; {level}." for level in sorted(kernels)]


def class_page(results: Sequence[Result], lessons: Sequence[Lesson], ignored: Sequence[str] = ()) -> str:
    """The page about the class: scores, exercises, mistakes, and what a person should look at.

    Args:
        results: Of all students. Who handed in nothing that could be read is counted, and left out of all statistics.
        lessons: Those that were graded.
        ignored: Names in the folder that are no submissions.
    """
    handed = [result for result in results if any(_handed_in(result, lesson) for lesson in lessons)]
    most = max((result.max for result in results), default=0)
    parts = ["<h1>The class</h1>"]
    said = f"{len(results)} student{'s' * (len(results) != 1)}"
    if len(handed) < len(results):
        said += f", {len(results) - len(handed)} of them without a notebook that could be graded"
    if handed:
        scores = [result.score for result in handed]
        said += f"; mean {statistics.fmean(scores):.1f}, median {statistics.median(scores):g} of {most} points"
        parts += [f"<p>{said}.</p>", _histogram(scores, most)]
    else:
        parts.append(f"<p>{said}.</p>")
    parts += _exercises(results, lessons)
    parts += _mistakes(results)
    flagged = [f"{result.student}: {flag}" for result in results for flag in result.flags]
    parts += _list(flagged, "For a person to look at") or ["<h2>For a person to look at</h2><p>Nothing.</p>"]
    read = [f"{result.student}: {text}" for result in results for text in (*result.reasons, *result.notes)]
    read += [f"{name}: no submission, passed over" for name in ignored]
    parts += _list(read, "Files")
    parts.append(f"<p class='soft'>{_text(' '.join(_isolation(results)))}</p>")
    return _page("The class", parts)


def _exercises(results: Sequence[Result], lessons: Sequence[Lesson]) -> list[str]:
    """How many solved each exercise, hardest first, and whether it tells who knows the rest from who does not."""
    parts = ["<h2>Exercises, hardest first</h2><div class='scroll'><table><tr><th>exercise</th><th>solved by</th>"]
    parts.append("<th class='number'>right</th><th class='number'>tried</th><th class='number'>telling</th></tr>")
    rows: list[tuple[float, str]] = []
    points: list[tuple[float, float, str]] = []
    for lesson in lessons:
        handed = [result for result in results if _handed_in(result, lesson)]
        for index, (name, stub) in enumerate(lesson.stubs.items() if handed else ()):
            each = [result.lessons[lesson.key].exercises[index] for result in handed]
            right = [float(e.status == RIGHT) for e in each]
            tried = sum(e.status in ("right", "wrong") for e in each)
            rest = [result.score - e.score for result, e in zip(handed, each, strict=True)]
            share, telling = statistics.fmean(right), _discrimination(right, rest)
            if telling is not None:
                points.append((share, telling, f"{lesson.name}.{name}"))
            row = (
                f"<tr><td><code>{_text(lesson.name)}.{_text(name)}</code> <span class='soft'>{stub.points} p.</span></td>"
                f"<td><svg class='share' viewBox='0 0 100 10' role='img' aria-label='{100 * share:.0f} percent'>"
                f"<rect x='0' y='1' width='{100 * share:.1f}' height='8'/><line x1='100' y1='0' x2='100' y2='10'/></svg></td>"
                f"<td class='number'>{sum(right):.0f} of {len(handed)} ({100 * share:.0f} %)</td>"
                f"<td class='number'>{tried}</td><td class='number'>{'–' if telling is None else f'{telling:.2f}'}</td></tr>"
            )
            rows.append((share, row))
    parts += [row for _, row in sorted(rows, key=lambda each: each[0])]
    parts.append("</table></div>")
    parts.append(
        "<p class='soft'>Telling: correlation of solving this exercise with the points in all others. Near 0 or below, "
        "look at the exercise; – where there is too little to tell.</p>"
    )
    return [*parts, _scatter(points)] if points else parts


def _handed_in(result: Result, lesson: Lesson) -> bool:
    """True when there was a notebook of the lesson, and it was graded."""
    return not result.lessons[lesson.key].reason


def _discrimination(right: Sequence[float], rest: Sequence[float]) -> float | None:
    if len(right) < 10 or len(set(right)) < 2 or len(set(rest)) < 2:
        return None
    return statistics.correlation(right, rest)


def _scatter(points: Sequence[tuple[float, float, str]]) -> str:
    """Exercises by how many solved them and by how telling they are; the five least telling have their names."""
    lowest = min(-0.2, *(telling for _, telling, _ in points))

    def x(share: float) -> float:
        return 50 + 530 * share

    def y(telling: float) -> float:
        return 10 + 200 * (1 - telling) / (1 - lowest)

    marks = []
    for telling in (0.0, 0.5, 1.0):
        marks.append(f"<line x1='50' y1='{y(telling):.1f}' x2='580' y2='{y(telling):.1f}'/>")
        marks.append(f"<text x='44' y='{y(telling) + 4:.1f}' text-anchor='end'>{telling:g}</text>")
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        marks.append(f"<text x='{x(share):.1f}' y='228' text-anchor='middle'>{100 * share:.0f} %</text>")
    free = math.inf  # names are written from the bottom up, each clear of the one before
    for number, (share, telling, name) in enumerate(sorted(points, key=lambda each: each[1])):
        marks.append(f"<circle cx='{x(share):.1f}' cy='{y(telling):.1f}' r='4'><title>{_text(name)}</title></circle>")
        if number < 5:
            side, anchor = (7, "start") if share < 0.6 else (-7, "end")
            height = min(y(telling) + 3, free)
            free = height - 11
            place = f"x='{x(share) + side:.1f}' y='{height:.1f}' text-anchor='{anchor}'"
            marks.append(f"<text {place}>{_text(name.split('.')[1])}</text>")
    said = "; ".join(f"{name}: {100 * share:.0f} %, {telling:.2f}" for share, telling, name in points)
    return (
        "<h2>Solved by how many, and how telling</h2>"
        f"<svg viewBox='0 0 600 250' role='img' aria-label='Exercises by share of students and telling. {_text(said)}'>"
        f"{''.join(marks)}<text x='315' y='246' text-anchor='middle'>solved by</text>"
        "<text x='14' y='110' text-anchor='middle' transform='rotate(-90 14 110)'>telling</text></svg>"
    )


def _mistakes(results: Iterable[Result]) -> list[str]:
    """The most common mistakes by name, with the words one student was told."""
    counts: Counter[tuple[str, str]] = Counter()
    words: dict[tuple[str, str], str] = {}
    for result in results:
        for lesson in result.lessons.values():
            for each in lesson.exercises:
                for mistake in dict.fromkeys(each.mistakes):
                    if mistake in ("empty", "waits"):
                        continue
                    counts[each.name, mistake] += 1
                    words.setdefault((each.name, mistake), each.message)
    if not counts:
        return []
    parts = ["<h2>Most common mistakes</h2><div class='scroll'><table><tr><th class='number'>students</th>"]
    parts.append("<th>exercise</th><th>mistake</th></tr>")
    for (name, mistake), count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:20]:
        parts.append(
            f"<tr><td class='number'>{count}</td><td><code>{_text(name)}</code></td>"
            f"<td>{_text(mistake.replace('-', ' '))}<br><span class='soft'>{_text(words[name, mistake])}</span></td></tr>"
        )
    return [*parts, "</table></div>"]


def _histogram(scores: Sequence[Points], most: Points) -> str:
    """Bars: how many students have how many points."""
    most = math.ceil(most)
    step = max(1, -(-(most + 1) // 15))
    bins = [0] * (most // step + 1)
    for score in scores:
        bins[min(int(score // step), len(bins) - 1)] += 1
    highest, width = max(bins), 600 / len(bins)
    labels = [f"{i * step}" if step == 1 else f"{i * step}–{min(most, i * step + step - 1)}" for i in range(len(bins))]
    bars = []
    for index, (count, label) in enumerate(zip(bins, labels, strict=True)):
        height, x, middle = 130 * count / highest, index * width, (index + 0.5) * width
        bars.append(f"<rect x='{x + 3:.1f}' y='{150 - height:.1f}' width='{width - 6:.1f}' height='{height:.1f}'/>")
        bars.append(f"<text x='{middle:.1f}' y='166' text-anchor='middle'>{label}</text>")
        if count:
            bars.append(f"<text x='{middle:.1f}' y='{145 - height:.1f}' text-anchor='middle'>{count}</text>")
    said = ", ".join(f"{label} points: {count}" for label, count in zip(labels, bins, strict=True) if count)
    return (
        f"<svg viewBox='0 0 600 190' role='img' aria-label='Number of students by points. {said}'>"
        f"<line x1='0' y1='150' x2='600' y2='150'/>{''.join(bars)}"
        "<text x='300' y='186' text-anchor='middle'>points</text></svg>"
    )


def _points(thing: LessonResult | Result) -> str:
    return f"{thing.score} of {thing.max} points"


def _list(items: Sequence[str], title: str) -> list[str]:
    if not items:
        return []
    return [f"<h2>{title}</h2><ul>", *(f"<li>{_text(_sentence(item))}</li>" for item in items), "</ul>"]


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!", ")")) else f"{text}."


def _text(text: str) -> str:
    """Anything that came from outside, safe in a page."""
    return escape(printable(text.encode("utf-8", "replace").decode()), quote=True)


def _page(title: str, parts: Sequence[str]) -> str:
    body = "\n".join(parts)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{_text(title)}</title><style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )
