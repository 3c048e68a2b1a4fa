"""Derivation pads in Chromium: a derivation is finished with keys alone and without a kernel, kept, and carried to a notebook."""

import pytest
from beside import begun, chains, differences, everything, program, refused

from bnlib.checks import chain_of
from bnlib.notebooks import derivation
from bnlib.stubs import normalization

STUB = normalization.input_gradient
WRONG = (
    f"{STUB.start}\n= sum(dout[k] * d(y[k], x[i]) for k in N)\n= gamma * mean(dout[k] * d(x_hat[k], x[i]) for k in N)"
)


class Pad:
    """The pad of one exercise on an open page."""

    def __init__(self, page, site, stub=STUB):
        self.page, self.stub = page, stub
        page.goto(f"{site}/lessons/{stub.lesson.key}.html")
        page.wait_for_load_state("networkidle")
        self.typed = page.get_by_label(f"Derive it here, a line for each step: {stub.id}")
        self.box = page.locator(".pad").filter(has=self.typed)
        self.told = self.box.get_by_role("status")

    def type(self, text):
        self.typed.focus()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(text)

    def says(self, words):
        self.told.filter(has_text=words).wait_for()


@pytest.mark.parametrize("cases", [chains, begun, refused, everything])
def test_the_pad_finds_what_the_judge_finds(opened, cases):
    cases = list(cases())
    assert differences(cases, opened().evaluate(program(cases))) == []


def test_a_derivation_is_finished_with_keys_alone(opened, site):
    pad = Pad(opened(), site)
    assert pad.typed.input_value() == f"{STUB.start}\n"
    pad.says(f"Write the next line below {STUB.start}")
    pad.type(WRONG)
    pad.says("Line 3: this line differs from the one above, first at i = 1: ")
    assert pad.box.get_by_label("line 3 does not equal the line above").is_visible()
    pad.type(WRONG.rpartition("\n")[0])
    pad.says("Every line holds so far; there is still a derivative in it.")
    assert pad.box.locator("caption").inner_text() == "1 of 4 points"
    pad.type(chain_of(STUB).text)
    pad.says("Every line holds, and nothing is left to do.")
    assert pad.box.locator("caption").inner_text() == "4 of 4 points"
    assert pad.box.locator("mjx-container").count() == len(chain_of(STUB).lines)
    assert pad.box.get_by_label("done", exact=True).count() == len(STUB.waypoints) + 1


def test_what_was_typed_is_there_after_the_page_was_left_and_in_other_tabs(opened, site):
    page = opened()
    pad = Pad(page, site)
    other = Pad(page.context.new_page(), site)
    pad.type(WRONG)  # and the page is left at once, before anything was judged
    other.says("Line 3: ")
    assert other.typed.input_value() == WRONG
    again = Pad(page, site)
    assert again.typed.input_value() == WRONG
    again.says("Line 3: ")
    assert (
        Pad(page, site, normalization.layer_gradient).typed.input_value() == f"{normalization.layer_gradient.start}\n"
    )


def test_a_browser_that_keeps_nothing_says_so(opened, site):
    page = opened()
    page.add_init_script("Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError') }")
    pad = Pad(page, site)
    pad.type(WRONG)
    pad.says("Line 3: ")
    assert "copy your text before you leave" in pad.box.locator("small").inner_text()


@pytest.mark.parametrize("allowed", [True, False])
def test_the_copy_is_the_answer_cell_of_a_notebook(opened, site, allowed):
    page = opened()
    if allowed:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    else:
        page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    pad = Pad(page, site)
    pad.type(WRONG)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    if allowed:
        pad.says("Copied: paste it over the answer cell")
        copied = page.evaluate("navigator.clipboard.readText()")
    else:
        pad.says("This browser does not copy")
        copied = page.evaluate(
            "document.activeElement.value.slice(document.activeElement.selectionStart, document.activeElement.selectionEnd)"
        )
    assert derivation(copied).strip() == WRONG


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_a_pad_fits_and_can_be_read(opened, site, faults, picture, width, dark):
    page = opened(width, dark)
    pad = Pad(page, site)
    for name, text in (("wrong", WRONG), ("done", chain_of(STUB).text)):
        pad.type(text)
        pad.says({"wrong": "Line 3: ", "done": "nothing is left to do"}[name])
        pad.box.locator("mjx-container").nth(text.count("\n")).wait_for()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert not faults(page, ".pad:has([role=status])")
        picture(pad.box, f"pad-{name}-{width}-{'dark' if dark else 'light'}")
