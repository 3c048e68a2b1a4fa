"""Answers that look alike: copies are found under other names, common answers are not, and nobody is accused."""

from __future__ import annotations

import json
import random

from bnlib.grading.course import Course
from bnlib.grading.reports import similarity
from bnlib.grading.reports.similarity import Writer, page, similar
from bnlib.grading.submissions import notebook_of
from bnlib.notebooks import parse, read
from bnlib.stubs import translation

PRISTINE = read(Course().solution(translation.lesson))
SHORT = {
    "center": ["return h - h.mean(axis=0)", "return h - np.mean(h, axis=0)", "return h - h.sum(0) / len(h)"],
    "center_jacobian": ["return np.eye(N) - 1 / N", "return np.eye(N) - np.ones((N, N)) / N"],
    "center_backward": ["return dout - dout.mean(axis=0)", "return dout - dout.sum(axis=0) / dout.shape[0]"],
}
OWN = """rows, columns = dout.shape
    total = {k: 0.0 for k in range(columns)}
    for k in range(columns):
        for i in range(rows):
            total[k] = total[k] + dout[i, k] / rows
    result = np.empty_like(dout, dtype=float)
    for i in reversed(range(rows)):
        result[i] = [dout[i, k] - total[k] for k in range(columns)]
    return result"""


def notebook(**bodies):
    document = parse(Course().root / "notebooks" / "02_translation.ipynb")
    for cell in document["cells"]:
        if cell.get("id") in bodies:
            cell["source"] = (
                cell["source"][: cell["source"].index("    # your code here")] + f"    {bodies[cell['id']]}"
            )
    return notebook_of("x.ipynb", json.dumps(document).encode())


def a_class(size, **others):
    chance = random.Random(1)
    handed = {
        Writer(f"s{i}", f"s{i}"): notebook(**{name: chance.choice(ways) for name, ways in SHORT.items()})
        for i in range(size)
    }
    return {**handed, **{Writer(name, name): each for name, each in others.items()}}


def names(pairs):
    return [tuple(each.student for each in pair.students) for pair in pairs]


def test_a_copy_is_found_under_other_names_and_with_other_comments():
    copied = OWN
    for old, new in {
        "total": "acc",
        "rows": "n",
        "columns": "d",
        "result": "out",
        " k ": " col ",
        "k]": "col]",
    }.items():
        copied = copied.replace(old, new)
    copied = copied.replace("return out", "# my own idea\n    return out")
    handed = a_class(20, anna=notebook(center_backward=OWN), bert=notebook(center_backward=copied))
    pairs = similar(translation.lesson, [PRISTINE], handed)
    assert names(pairs) == [("anna", "bert")]
    assert pairs[0].share > 0.9
    assert [cell.name for cell in pairs[0].cells] == ["center_backward"]
    assert "# my own idea" in pairs[0].cells[0].sources[1]


def test_short_right_answers_and_those_of_the_solution_are_not_alike():
    assert similar(translation.lesson, [PRISTINE], a_class(40)) == []
    solved = a_class(10, anna=PRISTINE, bert=PRISTINE)
    assert similar(translation.lesson, [PRISTINE], solved) == []


def test_what_many_wrote_is_not_alike():
    many = {f"m{i}": notebook(center_backward=OWN) for i in range(12)}
    assert similar(translation.lesson, [PRISTINE], a_class(20, **many)) == []
    few = {f"m{i}": notebook(center_backward=OWN) for i in range(3)}
    assert len(similar(translation.lesson, [PRISTINE], a_class(20, **few))) == 3


def test_two_own_ways_are_not_alike():
    other = "mean = np.einsum('ij->j', dout) / len(dout)\n    return np.array([[a - b for a, b in zip(row, mean)] for row in dout])"
    handed = a_class(20, anna=notebook(center_backward=OWN), bert=notebook(center_backward=other))
    assert similar(translation.lesson, [PRISTINE], handed) == []


def test_anything_can_be_compared():
    broken = notebook(center="'''", center_backward="%time x\n!ls 'a\n\"\n\x00 § 5 (")
    huge = notebook(center_backward=f"return [{'1, 2.5, ' * 200_000}]")
    similar(translation.lesson, [PRISTINE], a_class(3, broken=broken, huge=huge, empty=notebook()))
    assert similar(translation.lesson, [PRISTINE], {}) == []


def test_of_two_students_nobody_knows_what_the_class_has_in_common():
    pair = {"anna": notebook(center_backward=OWN), "bert": notebook(center_backward=OWN)}
    assert similar(translation.lesson, [PRISTINE], a_class(0, **pair)) == []
    assert len(similar(translation.lesson, [PRISTINE], a_class(1, **pair))) == 1


def test_the_page_shows_both_and_accuses_nobody():
    handed = a_class(20, **{"<anna>": notebook(center_backward=OWN), "bert": notebook(center_backward=OWN)})
    text = page(translation.lesson, similar(translation.lesson, [PRISTINE], handed), len(handed))
    assert "&lt;anna&gt; and bert" in text
    assert text.count("total = {k: 0.0 for k in range(columns)}") == 2
    assert "a reason to read both, and no more" in text
    for word in ("cheat", "plagiar", "copied", "suspect"):
        assert word not in text.lower()
    assert "None." in page(translation.lesson, [], 3)


def test_one_file_that_many_copied_makes_no_endless_page(monkeypatch):
    monkeypatch.setattr(similarity, "MOST_PAIRS", 4)
    copies = {name: notebook(center_backward=OWN) for name in ("ann", "ben", "cem", "dia")}
    pairs = similar(translation.lesson, [PRISTINE], a_class(20, **copies))
    assert len(pairs) == 4
    assert {name for pair in names(pairs) for name in pair} <= {*copies}
    assert "These are the 4 pairs that are most alike" in page(translation.lesson, pairs, 24)
    assert "there may be more" not in page(translation.lesson, pairs[:3], 24)
