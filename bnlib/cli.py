"""The command ``bnlib``: progress for a learner; build, release, formulas and grade for a teacher."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bnlib import __version__
from bnlib.notebooks import NotebookError
from bnlib.stubs import Lesson, lesson_of


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand; 0 when it did what was asked, 1 when it found something wrong, 2 when it could not start."""
    arguments = command_line().parse_args(argv)
    try:
        return arguments.run(arguments)
    except NotebookError as error:
        return _say(str(error))
    except ModuleNotFoundError as error:
        if (error.name or "bnlib").startswith("bnlib"):
            raise
        return _say(f"{error.name} is not installed, and this command needs it: pip install 'bnlib[grade]'")
    except OSError as error:
        return _say(f"{error.filename or 'bnlib'}: {error.strerror or error}")


def command_line() -> argparse.ArgumentParser:
    """What can be typed: every subcommand with its options."""
    parser = argparse.ArgumentParser(prog="bnlib", description=__doc__)
    parser.add_argument("--version", action="version", version=f"bnlib {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    progress = commands.add_parser("progress", help="lesson by lesson, what is filled and passes")
    progress.add_argument(
        "notebooks", nargs="*", type=Path, help="their lessons alone, or those of folders (all by default)"
    )
    progress.add_argument(
        "--classroom", action="store_true", help="hand the points to the GitHub workflow in which this runs"
    )
    progress.set_defaults(run=_progress)

    if find_spec("bnlib.grading"):  # learners' copies come without what only teachers need
        _teachers(commands)
    return parser


def _teachers(commands: Any) -> None:
    from bnlib.grading import command
    from bnlib.grading.reports import export, gradescope

    new = commands.add_parser("new", help="write the files of a new lesson or exercise, ready to fill (authors)")
    new.add_argument("what", choices=["lesson", "exercise"])
    new.add_argument("name", help="a lesson's name, as in layer_norm; an exercise's, as in layer_norm.first_step")
    command.add_course(new)
    new.set_defaults(run=_new)

    build = commands.add_parser("build", help="normalise and execute solutions/ (teachers)")
    build.add_argument("files", nargs="*", type=Path, help="notebooks; all of solutions/ by default")
    command.add_course(build)
    build.set_defaults(run=_build)

    release = commands.add_parser("release", help="generate notebooks/ from solutions/ (teachers)")
    release.add_argument("--solutions", type=Path, help="folder of the sources (default solutions/ of the course)")
    release.add_argument("--out", type=Path, help="folder to write (default notebooks/ of the course)")
    release.add_argument(
        "--address",
        default="",
        metavar="URL",
        help="where learners fetch the bundle: their first cell installs from there",
    )
    release.add_argument("--zip", type=Path, metavar="FILE", help="also pack the bundle for learners")
    release.add_argument(
        "--lesson", action="append", default=[], metavar="KEY", help="pack this lesson alone (may be repeated)"
    )
    release.add_argument("--force", action="store_true", help="overwrite notebooks that were edited")
    command.add_course(release)
    release.set_defaults(run=_release)

    formulas = commands.add_parser("formulas", help="write docs/formulas.md and docs/notation.md anew (authors)")
    command.add_course(formulas)
    formulas.set_defaults(run=_formulas)

    command.add_arguments(commands.add_parser("grade", help="grade a folder of submissions (teachers)"))
    platforms = export.add_arguments(
        commands.add_parser(
            "export", help="grades and feedback for Canvas and Moodle, sources for nbgrader and otter (teachers)"
        )
    )
    for name, run in (("nbgrader", _nbgrader), ("otter", _otter)):
        tool = platforms.add_parser(name, help=f"the lessons as source notebooks for {name}")
        tool.add_argument("folder", type=Path, metavar="DIR", help="where to write; nothing there is overwritten")
        tool.add_argument(
            "--lesson", action="append", default=[], metavar="KEY", help="this lesson alone (may be repeated)"
        )
        if name == "nbgrader":
            tool.add_argument(
                "--exam",
                nargs="*",
                type=int,
                metavar="ITEM",
                help="the exam in the place of lessons; these items, or all",
            )
        command.add_course(tool)
        tool.set_defaults(run=run)
    gradescope.add_arguments(commands.add_parser("gradescope", help="autograder and results for Gradescope (teachers)"))


def _nbgrader(arguments: argparse.Namespace) -> int:
    from bnlib.nbgrader import export, lesson_sources
    from bnlib.sheets import exam

    def sources(course: Path, chosen: Sequence[Lesson]) -> Mapping[str, Any]:
        if arguments.exam is None:
            return lesson_sources(course / "solutions", chosen)
        return {"exam": exam(course / "docs" / "exam.md", course / "solutions" / "exam.md", arguments.exam)}

    if arguments.exam is not None and arguments.lesson:
        return _say("--exam and --lesson: the exam takes the place of lessons; export each by itself")
    name = "LESSON" if arguments.exam is None else "exam"
    return _export(arguments, sources, export, f"nbgrader generate_assignment {name}")


def _otter(arguments: argparse.Namespace) -> int:
    from bnlib.otter import export, lesson_sources

    def sources(course: Path, chosen: Sequence[Lesson]) -> Mapping[str, Any]:
        return lesson_sources(course / "solutions", chosen)

    return _export(arguments, sources, export, "otter assign LESSON.ipynb LESSON")


def _export(
    arguments: argparse.Namespace,
    sources: Callable[[Path, Sequence[Lesson]], Mapping[str, Any]],
    export: Callable[[Mapping[str, Any], Path], list[Path]],
    then: str,
) -> int:
    from bnlib.release import ReleaseError

    try:
        chosen = [lesson_of(key) for key in arguments.lesson]
        for path in export(sources(_folder(arguments), chosen), arguments.folder):
            print(f"wrote {path}")
    except KeyError as error:
        return _say(str(error.args[0]))
    except ReleaseError as error:
        return _say(str(error))
    print(f"Then, in {arguments.folder}: {then}")
    return 0


def _folder(arguments: argparse.Namespace) -> Path:
    """The course that authors work on: the one they named, or stand in; never another that happens to be installed."""
    return arguments.course or Path()


def _say(message: str) -> int:
    print(f"bnlib: {message}", file=sys.stderr)
    return 2


def _progress(arguments: argparse.Namespace) -> int:
    from bnlib.progress import classroom, saved_standings

    paths = [
        path for each in arguments.notebooks for path in (sorted(each.glob("*.ipynb")) if each.is_dir() else [each])
    ]
    try:
        standings = saved_standings([lesson_of(path.stem) for path in paths])
    except KeyError as error:
        return _say(str(error.args[0]))
    print(standings)
    if arguments.classroom:
        for name, line in (
            ("GITHUB_OUTPUT", f"result={classroom(standings)}"),
            ("GITHUB_STEP_SUMMARY", standings._repr_html_()),
        ):
            with open(os.environ.get(name, os.devnull), "a", encoding="utf-8") as file:
                file.write(f"{line}\n")
    return 0


def _new(arguments: argparse.Namespace) -> int:
    from bnlib.authoring import AuthoringError, new_exercise, new_lesson

    write = new_lesson if arguments.what == "lesson" else new_exercise
    try:
        for path in write(_folder(arguments), arguments.name):
            print(f"{'wrote' if arguments.what == 'lesson' else 'added to'} {path}")
    except AuthoringError as error:
        return _say(str(error))
    print("Fill it in, then: bnlib build && bnlib release")
    return 0


def _build(arguments: argparse.Namespace) -> int:
    from bnlib.release import ReleaseError, build, sources

    try:
        for path in arguments.files or sources(_folder(arguments) / "solutions"):
            build(path)
            print(f"built {path}")
    except ReleaseError as error:
        return _say(str(error))
    return 0


def _release(arguments: argparse.Namespace) -> int:
    from bnlib.release import ReleaseError, bundle, release
    from bnlib.sheets import projects

    if arguments.lesson and not arguments.zip:
        return _say("--lesson says what goes into the bundle: name the file with --zip")
    try:
        chosen = [lesson_of(key) for key in arguments.lesson]
        course = _folder(arguments)
        solutions, notebooks = arguments.solutions or course / "solutions", arguments.out or course / "notebooks"
        page = course / "docs" / "projects.md"
        others = projects(page, arguments.address) if page.is_file() else {}
        for path in release(solutions, notebooks, arguments.force, arguments.address, others):
            print(f"released {path}")
        if arguments.zip:
            names = bundle(course, arguments.zip, chosen)
            print(f"packed {len(names)} files into {arguments.zip}")
    except KeyError as error:
        return _say(str(error.args[0]))
    except ReleaseError as error:
        return _say(str(error))
    return 0


def _formulas(arguments: argparse.Namespace) -> int:
    from bnlib.formulas import pages
    from bnlib.language.names import FormulaError
    from bnlib.release import ReleaseError

    try:
        course = _folder(arguments)
        for name, text in pages(course / "solutions").items():
            (course / "docs" / name).write_text(text, encoding="utf-8")
            print(f"wrote docs/{name}")
    except (ReleaseError, FormulaError) as error:
        return _say(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
