"""The web page: it is built without a warning, all that it links is there, and it tells no answer."""

import html
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
from untold import answers, chains, secrets, verdicts

from bnlib.notebooks import parse
from bnlib.release import sources
from bnlib.stubs import lesson_of, lessons

pytest.importorskip("sphinx", reason="the web page needs the extra [docs]")
pytest.importorskip("myst_nb", reason="the web page needs the extra [docs]")
import pads  # noqa: E402
from compose import lesson_page  # noqa: E402

ROOT = Path(__file__).parent.parent
COMPOSE = ROOT / "docs" / "site" / "compose.py"
PAGES = [f"lessons/{lesson.key}" for lesson in lessons()]
PAGES += [*(path.stem for path in (ROOT / "docs").glob("*.md")), "contributing", "api", "index"]


class Page(HTMLParser):
    """The text of a page, its addresses and where it leads."""

    def __init__(self, path):
        super().__init__()
        self.path, self.said, self.names, self.links, self.loads, self.headings = path, [], set(), [], [], 0
        self.feed(path.read_text(encoding="utf-8"))
        self.text = plain("".join(self.said))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.names |= {given[name] for name in ("id", "name") if given.get(name)}
        self.headings += tag == "h1"
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        elif tag in ("script", "link", "img", "iframe") and (given.get("src") or given.get("href")):
            self.loads.append(given.get("src") or given["href"])

    def handle_data(self, data):
        self.said.append(data)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run([sys.executable, COMPOSE, out], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr  # a warning of Sphinx is an error
    return out / "html"


@pytest.fixture(scope="module")
def pages(site):
    return {path.relative_to(site).as_posix(): Page(path) for path in site.rglob("*.html")}


def test_every_page_is_there_with_one_title(pages):
    for name in PAGES:
        assert pages[f"{name}.html"].headings == 1, name


def test_every_link_leads_somewhere_and_nothing_is_fetched(site, pages):
    for name, page in pages.items():
        for link in page.links + page.loads:
            address, anchor = urldefrag(unquote(link))
            if re.match(r"https?:|mailto:|data:", link):
                assert link in page.links or link.startswith("data:"), f"{name} fetches {link}"
                continue
            address = address.split("?")[0]
            target = (site / name).parent.joinpath(address).resolve() if address else site / name
            assert target.is_file(), f"{name} leads to {link}"
            if anchor and target.suffix == ".html":
                assert anchor in pages[target.relative_to(site).as_posix()].names, f"{name} leads to {link}"


def test_equations_have_addresses_and_mentions_lead_there(pages):
    two = pages["lessons/02_translation.html"]
    assert {"eq-2.1", "eq-2.9"} <= two.names
    assert "#eq-2.4" in two.links
    assert "\\begin{split}" not in two.text
    assert not any("#eq-5.13" in link for link in pages["security.html"].links)  # a version of Linux


def test_every_formula_stands_there_for_browsers_without_scripts(pages):
    found = 0
    for name, page in pages.items():
        text = page.path.read_text(encoding="utf-8")
        found += len(re.findall(r'<(?:span|div) class="math ', text))
        assert text.count("<noscript><math ") == len(re.findall(r'<(?:span|div) class="math ', text)), name
        assert ".math { display: none; }" in text
    assert found > 500


def test_the_page_of_a_lesson_has_its_figures_its_quizzes_and_its_pads(pages):
    """As many as the lesson has displayed outputs; each quiz and each figure that moves with its program, all pads with one."""
    for path in sources(ROOT / "solutions"):
        page = (pages[f"lessons/{path.stem}.html"]).path.read_text(encoding="utf-8")
        given = [cell for cell in parse(path)["cells"] if cell.get("metadata", {}).get("bnlib", {}).get("given")]
        shown = [str(out.get("data", {}).get("text/html", "")) for cell in given for out in cell["outputs"]]
        lesson = lesson_of(path.stem)
        derived = {cell["id"] for cell in parse(path)["cells"]} & lesson.derivations.keys()
        assert page.count('data-figure="quiz"') == len(lesson.quizzes)
        assert page.count('<div data-figure="pad">') == len(derived)
        assert page.count(pads.program()) == (1 if derived else 0)
        assert page.count('<svg role="img"') == sum(each.count('<svg role="img"') for each in shown)


def everything(site):
    """All that is published, as one text a file, without markup and line breaks."""
    for path in sorted(site.rglob("*")):
        if path.suffix == ".html":
            yield path.relative_to(site).as_posix(), Page(path).text
        elif path.suffix in (".js", ".ipynb", ".txt", ".inv") and path.name != "tex-svg.js":
            text = path.read_text(encoding="utf-8", errors="replace")
            if path.suffix == ".ipynb":
                text = "\n".join(cell["source"] for cell in parse(path)["cells"])
            yield path.relative_to(site).as_posix(), plain(html.unescape(text))


def plain(text):
    return " ".join(text.split())


def test_no_line_of_an_answer_a_derivation_or_a_quiz_is_told(site):
    """Beyond what a lesson itself says in its text, and the examples of two pages."""
    lessons_say = [cell["source"] for path in (ROOT / "notebooks").glob("*.ipynb") for cell in parse(path)["cells"]]
    examples = [(ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in ("learners", "language")]
    open_anyway = plain("\n".join(lessons_say + examples))
    kept = [(where, plain(line)) for where, line in (*answers(), *chains(), *verdicts(), *secrets())]
    kept = [(where, line) for where, line in kept if line not in open_anyway]
    assert len(kept) > 1500
    assert any("h - h.mean(axis=0)" in line for _, line in kept)
    for name, text in everything(site):
        met = [(where, line) for where, line in kept if line in text]
        assert not met, f"{name} tells {met[:5]}"


def test_a_solution_is_shown_where_the_author_names_it():
    path = ROOT / "solutions" / "02_translation.ipynb"
    text = json.dumps(lesson_page(path, {"translation.center"}))
    assert "h - h.mean(axis=0)" in text
    assert "np.eye(N) - 1 / N" not in text
    assert "h - h.mean(axis=0)" not in json.dumps(lesson_page(path))
