"""What a run looks like: a feedback page a student, a page about the class."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from bnlib.grading.reports import charts, words
from bnlib.grading.reports.pages import render
from bnlib.grading.result import Result
from bnlib.stubs import Lesson


def feedback_page(result: Result) -> str:
    """The page of one student."""
    return render("feedback.html", result=result)


def feedback_data(result: Result) -> dict[str, Any]:
    """What the page of one student says, as data: without what concerns the teacher alone."""
    shown = result.to_json()
    lessons = {}
    for key, lesson in result.lessons.items():
        known = shown["lessons"][key]
        exercises = [
            {name: data[name] for name in ("name", "points", "score", "status", "causes", "rows", "remarks", "by_hand")}
            | {"message": words.message(each)}
            for each, data in zip(lesson.exercises, known["exercises"], strict=True)
        ]
        lessons[key] = {name: known[name] for name in ("title", "score", "max", "reason", "notes", "isolation")} | {
            "lost": lesson.marks.lost,
            "nbval": known["nbval"] and {name: known["nbval"][name] for name in ("passed", "message", "ran", "cells")},
            "exercises": exercises,
        }
    return {name: shown[name] for name in ("student", "score", "max", "reasons", "notes", "files")} | {
        "lessons": lessons
    }


def class_page(
    results: Sequence[Result],
    lessons: Sequence[Lesson],
    ignored: Sequence[str] = (),
    *,
    title: str = "The class",
    facts: Sequence[str] = (),
    similar: Sequence[Lesson] = (),
) -> str:
    """The page about the class: whom to look at, scores, exercises, mistakes.

    Args:
        results: Of all students. Who handed in nothing that could be read is counted, and left out of all statistics.
        lessons: Those that were graded.
        ignored: Names in the folder that are no submissions.
        title: What the course calls itself.
        facts: What the run was: date, version, where the seed is from (never what it is: with it, inputs can be drawn at home).
        similar: Lessons that have a page about answers that look alike.
    """
    handed = [result for result in results if any(_handed_in(result, lesson) for lesson in lessons)]
    most = max((result.max for result in results), default=0)
    scores = [result.score for result in handed]
    exercises = _exercises(results, lessons)
    telling = [(each["share"], each["telling"], each["name"]) for each in exercises if each["telling"] is not None]
    return render(
        "class.html",
        script="sort.js",
        title=title,
        facts=facts,
        results=sorted(results, key=lambda result: (-len(result.flags), not words.to_look_at(result), result.student)),
        lessons=lessons,
        ignored=ignored,
        similar=similar,
        nothing=len(results) - len(handed),
        most=most,
        scores={"mean": statistics.fmean(scores), "median": statistics.median(scores)} if scores else None,
        histogram=charts.histogram(scores, most) if scores else None,
        exercises=exercises,
        scatter=charts.scatter(telling) if telling else None,
        mistakes=_mistakes(results),
    )


def _exercises(results: Sequence[Result], lessons: Sequence[Lesson]) -> list[dict[str, Any]]:
    """How many solved each exercise, hardest first, and whether it tells who knows the rest from who does not."""
    rows = []
    for lesson in lessons:
        handed = [result for result in results if _handed_in(result, lesson)]
        for index, (name, stub) in enumerate(lesson.stubs.items() if handed else ()):
            each = [result.lessons[lesson.key].exercises[index] for result in handed]
            right = [float(words.solved(e)) for e in each]
            rest = [result.score - e.score for result, e in zip(handed, each, strict=True)]
            rows.append(
                {
                    "name": f"{lesson.name}.{name}",
                    "points": stub.points,
                    "share": statistics.fmean(right),
                    "right": int(sum(right)),
                    "students": len(handed),
                    "tried": sum(words.solved(e) or e.status == "wrong" for e in each),
                    "telling": _discrimination(right, rest),
                }
            )
    return sorted(rows, key=lambda row: row["share"])


def _handed_in(result: Result, lesson: Lesson) -> bool:
    """True when there was a notebook of the lesson, and it was graded."""
    return not result.lessons[lesson.key].reason


def _discrimination(right: Sequence[float], rest: Sequence[float]) -> float | None:
    if len(right) < 10 or len(set(right)) < 2 or len(set(rest)) < 2:
        return None
    return statistics.correlation(right, rest)


def _mistakes(results: Iterable[Result]) -> list[dict[str, Any]]:
    """The most common mistakes by name, with the words one student was told."""
    counts: Counter[tuple[str, str]] = Counter()
    said: dict[tuple[str, str], str] = {}
    for result in results:
        for lesson in result.lessons.values():
            for each in lesson.exercises:
                for mistake in dict.fromkeys(each.mistakes):
                    if mistake in ("empty", "waits"):
                        continue
                    counts[each.name, mistake] += 1
                    said.setdefault((each.name, mistake), each.message)
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:20]
    return [
        {"students": count, "exercise": name, "mistake": mistake, "message": said[name, mistake]}
        for (name, mistake), count in most
    ]
