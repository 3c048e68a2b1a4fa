"""The project's own files agree with each other and say nothing about the machine they were written on."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # comes with pytest

import bnlib

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]
PLATFORMS = [("linux", "posix", "Linux"), ("darwin", "posix", "Darwin")]

# conda-forge splits matplotlib: the base package leaves the desktop toolkit out.
CONDA_NAMES = {"matplotlib-base": "matplotlib"}


def bounds(lines):
    """Map each normalized package name to the set of its bounds."""
    found = {}
    for requirement in map(Requirement, lines):
        name = canonicalize_name(requirement.name)
        assert name not in found, f"{name} is listed twice"
        found[name] = requirement.specifier
    return found


def pins():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]


# -- one set of bounds


def test_environment_yml_has_the_names_and_bounds_of_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    plain = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    (pip_section,) = (entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    conda = {CONDA_NAMES.get(name, name): specifier for name, specifier in bounds(plain).items()}
    python, _ = conda.pop("python"), conda.pop("pip")

    extras = PROJECT["optional-dependencies"]
    assert conda == bounds(PROJECT["dependencies"] + extras["lab"] + extras["grade"] + extras["test"])
    assert python == SpecifierSet(PROJECT["requires-python"])
    assert pip_section == ["-e ."], "everything but bnlib itself comes from conda"


def test_every_requirement_has_both_bounds():
    declared = PROJECT["dependencies"] + sum(PROJECT["optional-dependencies"].values(), [])
    for name, specifier in bounds(declared).items():
        operators = sorted(part.operator for part in specifier)
        assert operators == ["<", ">="], f"{name}: {specifier}"


def test_the_python_bounds_are_the_same_everywhere():
    requires = SpecifierSet(PROJECT["requires-python"])
    allowed = [f"3.{minor}" for minor in range(30) if f"3.{minor}.0" in requires]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    lowest, highest = (int(version.split(".")[1]) for version in (allowed[0], allowed[-1]))

    assert allowed == PYTHONS
    assert f"(3, {lowest}) <= sys.version_info[:2] < (3, {highest + 1})" in makefile
    assert all(f"python{version}" in makefile for version in allowed)


def test_the_version_is_the_same_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == PROJECT["version"] == bnlib.__version__
    assert f"## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


# -- constraints.txt


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform[0])
def test_constraints_pin_every_requirement_within_its_bounds(python, platform):
    where = dict(zip(("sys_platform", "os_name", "platform_system"), platform, strict=True))
    where |= {
        "python_version": python,
        "python_full_version": f"{python}.6",
        "implementation_name": "cpython",
    }
    where |= {"platform_python_implementation": "CPython"}

    def applies(requirement):
        return requirement.marker is None or requirement.marker.evaluate(where)

    every = map(Requirement, PROJECT["dependencies"] + sum(PROJECT["optional-dependencies"].values(), []))
    declared = bounds(str(each) for each in every if applies(each))
    applied = [pin for pin in pins() if applies(pin)]
    pinned = bounds(map(str, applied))  # also: no package is pinned twice in one place

    for name, specifier in declared.items():
        assert name in pinned, f"constraints.txt does not pin {name} on Python {python}"
        (pin,) = pinned[name]
        assert pin.operator == "=="
        assert specifier.contains(pin.version), f"{name} {pin} is outside {specifier}"


def test_constraints_hold_exact_versions_only():
    for pin in pins():
        assert [part.operator for part in pin.specifier] == ["=="], str(pin)
        assert pin.url is None, str(pin)


def test_uv_lock_holds_the_same_versions_from_public_places():
    """The lock of uv: made for this pyproject.toml, with the versions of constraints.txt, each with its hash."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    (own,) = (package for package in lock["package"] if package["name"] == "bnlib")
    others = [package for package in lock["package"] if package is not own]
    assert {(p["name"], p["version"]) for p in others} == {(pin.name, str(pin.specifier)[2:]) for pin in pins()}
    files = [file for package in others for file in [package.get("sdist"), *package.get("wheels", ())] if file]
    assert all(re.match(r"https://files\.pythonhosted\.org/packages/", file["url"]) for file in files)
    assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", file["hash"]) for file in files)
    assert {package["source"]["registry"] for package in others} == {"https://pypi.org/simple"}

    def bare(requirement):
        markers = [requirement.marker] if requirement.marker else []
        return canonicalize_name(requirement.name), requirement.specifier, str(*markers)

    declared = {("", *bare(Requirement(line))) for line in PROJECT["dependencies"]}
    for extra, lines in PROJECT["optional-dependencies"].items():
        declared |= {(extra, *bare(Requirement(line))) for line in lines}
    locked = set()
    for entry in own["metadata"]["requires-dist"]:
        marker, _, extra = entry.get("marker", "").rpartition("extra == ")
        given = Requirement(entry["name"] + entry["specifier"])
        locked.add((extra.strip("'"), given.name, given.specifier, marker.removesuffix(" and ").replace("'", '"')))
    assert locked == {
        (extra, *rest, marker.replace("python_version", "python_full_version")) for extra, *rest, marker in declared
    }


# -- commands that people are told to type


def installed_by(target):
    """The extras that `make TARGET` installs before it begins."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    level = re.search(rf"^{target}: install-(\w+)", makefile, re.MULTILINE)[1]
    what = re.search(rf"call install,{level},(.*)\)$", makefile, re.MULTILINE)[1]
    what = re.sub(r"\$\((\w+)\)", lambda m: re.search(rf"^{m[1]} *:= *(.*)$", makefile, re.MULTILINE)[1], what)
    return set(re.findall(r"\w+", what))


def test_make_lint_knows_what_need_not_be_installed():
    """A fresh clone: only what pyproject requires is there, and mypy must not ask for more."""
    extras = PROJECT["optional-dependencies"]
    there = bounds(PROJECT["dependencies"] + sum((extras[extra] for extra in installed_by("lint")), []))
    told = {
        module.removesuffix(".*").replace("_", "-")
        for override in PYPROJECT["tool"]["mypy"]["overrides"]
        if override.get("ignore_missing_imports")
        for module in override["module"]
    }
    standard = sys.stdlib_module_names | {"bnlib"}
    comes_with = {"matplotlib_inline", "tornado", "traitlets", "tomllib", "zmq"}
    for path in (ROOT / "bnlib").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
            for name in {name.split(".")[0] for name in names} - standard - comes_with:
                assert canonicalize_name(name) in there or name in told, f"{path.name} imports {name}"


@pytest.mark.parametrize("target", ["test", "lint", "notebooks"])
def test_what_contributing_asks_for_comes_with_the_commands_it_names(target):
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert f"make {target}" in text
    assert "jupytext --to" in text
    extras = PROJECT["optional-dependencies"]
    assert "jupytext" in bounds(sum((extras[extra] for extra in installed_by(target)), []))


# -- nothing about one machine

# A line that names such a path for a reason says so with the word "path-ok". Attacks have to name real places.
ALLOW = "path-ok"
ATTACKS = ROOT / "tests" / "attacks"
TEXT = {".cfg", ".css", ".html", ".ipynb", ".json", ".md", ".py", ".sh", ".toml", ".txt", ".yaml", ".yml"}
NO_SUFFIX = {"Makefile", "run", "LICENSE", "LICENSE-text", ".gitignore", ".gitattributes"}

MACHINE_PATH = re.compile(
    r"""(?<![\w.~$})\]/+-])          # the slash begins a path: it is neither relative, nor part of a URL
        (?! /tmp/ipykernel_\d )          # how a kernel names a cell in a warning, on any Linux
        (?: /(?:root|work|tmp|mnt|opt|private|var/folders)/[\w.~-]+
          | /(?:home|Users)/[\w.-]+
          | [A-Z]:\\+(?:Users|Windows)\b )""",
    re.VERBOSE,
)
REGISTRY = re.compile(
    r"""\b(?:pypi|pythonhosted|npmjs|anaconda|debian|ubuntu)\.(?:org|com|io|net)\b
      | --(?:extra-)?index-url | --find-links | --trusted-host | file:///""",
    re.VERBOSE | re.IGNORECASE,
)


def tracked_texts():
    """Return the text files git tracks or would track; skip where there is no git."""
    git = ["git", "-c", "safe.directory=*", "-C", str(ROOT), "ls-files", "-z"]
    try:
        listed = subprocess.run(
            [*git, "--cached", "--others", "--exclude-standard"], capture_output=True, check=True, text=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git clone: which files belong to the project is not known")
    paths = [ROOT / name for name in listed.split("\0") if name]
    return [p for p in paths if (p.suffix in TEXT or p.name in NO_SUFFIX) and p.is_file()]


def readable_lines(path):
    """Yield (place, line) of a file; of a notebook without its pictures, as base64 may look like anything."""
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix == ".ipynb":
        try:
            cells = json.loads(text)["cells"]
        except (ValueError, KeyError, TypeError):
            cells = None  # some example submissions are broken on purpose: read them as they are
        if cells is not None:
            for number, cell in enumerate(cells):
                for line in "\n".join(strings(cell)).splitlines():
                    yield f"cell {number}", line
            return
    for number, line in enumerate(text.splitlines(), 1):
        yield f"line {number}", line


def strings(value):
    if isinstance(value, str):
        yield re.sub(r"\x1b\[[0-9;]*m", "", value)  # a traceback's colours stand right before its paths
    elif isinstance(value, list):
        # a notebook may store a text as a list of its lines: one of them may still hold a whole path
        for item in value:
            yield from strings(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not (key.startswith("image/") and key != "image/svg+xml"):
                yield from strings(item)


@pytest.mark.parametrize(
    ("pattern", "what"), [(MACHINE_PATH, "a path of one machine"), (REGISTRY, "a package registry")],
    ids=["paths", "registries"],
)  # fmt: skip
def test_tracked_texts_name_no_machine(pattern, what):
    found = [
        f"{path.relative_to(ROOT)}, {place}: {match.group()}"
        for path in tracked_texts()
        if path != Path(__file__).resolve() and ATTACKS not in path.parents
        for place, line in readable_lines(path)
        if ALLOW not in line and (match := pattern.search(line))
    ]
    assert not found, f"{what} is named (a reason? put {ALLOW!r} on the line):\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("open('/" + "work/main/x.py')", True),
        ("/" + "home/ann/course", True),
        ("C:\\Users\\ann", True),
        ('"/tmp/grades"', True),
        ("/tmp/ipykernel_17/1.py:3: RuntimeWarning", False),
        ("https://example.org/home/about", False),
        ("docs/work/plan.md and ./tmp/a", False),
        ("tmpfs on /tmp, home is /root", False),
        ("$HOME/work/here, ${ROOT}/tmp/x", False),
        ("#!/usr/bin/env bash", False),
    ],
)
def test_the_pattern_tells_a_machine_path_from_other_slashes(line, named):
    assert bool(MACHINE_PATH.search(line)) == named


# -- the licences are those that pyproject names


def test_licence_files_exist():
    for name in PROJECT["license-files"]:
        assert "the bnlib authors" in (ROOT / name).read_text(encoding="utf-8")
