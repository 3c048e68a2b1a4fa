"""As a learner works: lesson 02 in JupyterLab, with keys alone, from a wrong answer to the right one, and on to lesson 03."""

import pytest

WRONG = "return h - h.sum(axis=0)"
RIGHT = {
    "center": "@fill(translation.center)\ndef center(h):\n    return h - h.mean(axis=0)",
    "center_jacobian": "@fill(translation.center_jacobian)\ndef center_jacobian(N):\n    return np.eye(N) - 1 / N",
    "center_slopes": 'derive(translation.center_slopes, """\nd(h_hat[k, l], h[i, j])\n= d(h[k, l], h[i, j]) - d(mu[l], h[i, j])\n'
    '= delta[k, i] * delta[l, j] - mean(delta[m, i] * delta[l, j] for m in N)\n= delta[l, j] * (delta[k, i] - 1/N)\n""")',
    "center_jacobian_full": "@fill(translation.center_jacobian_full)\ndef center_jacobian_full(N, D):\n"
    '    return np.einsum("ki,lj->klij", center_jacobian(N), np.eye(D))',
    "center_backward": "@fill(translation.center_backward)\ndef center_backward(dout):\n    return dout - dout.mean(axis=0)",
}


class Learner:
    """Somebody at the keyboard, in the notebook that is open."""

    def __init__(self, page, address, lesson):
        self.page = page
        page.goto(address.format(f"{lesson}.ipynb"))
        page.locator(".jp-Notebook-cell").first.wait_for()
        page.wait_for_function(
            "(path) => { const open = window.jupyterapp?.shell.currentWidget;"
            " return open?.context?.path === path && open.content.activeCell"
            " && open.sessionContext.session?.kernel?.status === 'idle'; }",
            arg=f"{lesson}.ipynb",
        )
        page.evaluate("jupyterapp.shell.currentWidget.content.activate()")
        page.keyboard.press("Escape")

    @property
    def active(self):
        """The cell where the keyboard is, as it stands on the page."""
        return self.page.locator(".jp-MainAreaWidget:not(.lm-mod-hidden) .jp-Notebook-cell.jp-mod-active")

    def go(self, cell):
        """With the arrow keys to a cell."""
        content = "jupyterapp.shell.currentWidget.content"
        cells = self.page.evaluate(f"{content}.widgets.map((each) => each.model.id)")
        there, here = cells.index(cell), self.page.evaluate(f"{content}.activeCellIndex")
        for _ in range(abs(there - here)):
            self.page.keyboard.press("ArrowDown" if there > here else "ArrowUp")
        assert self.page.evaluate(f"{content}.activeCell.model.id") == cell

    def write(self, text):
        """Replace what the cell says."""
        self.page.keyboard.press("Enter")
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(text)

    def run(self):
        """Ctrl-Enter, and wait for what comes out."""
        count = "jupyterapp.shell.currentWidget.content.activeCell.model.executionCount"
        before = self.page.evaluate(count)
        self.page.keyboard.press("Control+Enter")
        self.page.wait_for_function(
            f"(before) => {count} !== null && {count} !== before"
            " && jupyterapp.shell.currentWidget.content.activeCell.model.executionState !== 'running'"
            " && jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'",
            arg=before,
        )
        self.page.keyboard.press("Escape")
        output = self.active.locator(".jp-OutputArea")
        return output.inner_text() if output.count() else ""

    def answer(self, cell, text):
        """Fill an exercise, and look at its check."""
        self.go(cell)
        self.write(text)
        self.run()
        self.go(f"check-{cell}")
        return self.run()

    def own_cell(self, text):
        """A cell of one's own below."""
        self.page.keyboard.press("b")
        self.write(text)
        return self.run()


@pytest.fixture
def learner(opened, lab):
    return lambda lesson, **how: Learner(opened(**how), lab, lesson)


def test_a_lesson_from_a_wrong_answer_to_the_next_lesson(learner, lab, faults, picture):
    me = learner("02_translation")
    page = me.page
    me.go("code-c91c364e")
    me.run()

    me.go("code-a24cec9d")
    me.run()
    quiz = me.active.locator("[data-figure=quiz]").first
    quiz.get_by_role("button").first.focus()
    page.keyboard.press("Enter")
    assert quiz.get_by_role("status").inner_text().startswith(("Right (a).", "Not quite (a)."))
    page.keyboard.press("Escape")
    assert not faults(page, ".jp-mod-active .jp-OutputArea")

    said = me.answer("center", RIGHT["center"].replace("return h - h.mean(axis=0)", WRONG))
    assert "wrong" in said
    assert "mean" in said
    picture(me.active, "check-wrong-light")
    assert not faults(page, ".jp-mod-active .jp-OutputArea")
    assert "Hint 1 of 3" in me.own_cell("hint(translation.center)")
    assert "Hint 2 of 3" in me.run()
    assert "Visible checks passed" in me.answer("center", RIGHT["center"])
    assert "Visible checks passed" in me.answer("center_jacobian", RIGHT["center_jacobian"])

    said = me.answer("center_slopes", RIGHT["center_slopes"].replace("(delta[k, i] - 1/N)", "(delta[k, i] + 1/N)"))
    assert "wrong" in said
    me.go("center_slopes")
    assert me.active.get_by_role("img", name="line 4 does not equal the line above").count() == 1
    picture(me.active, "derivation")
    assert not faults(page, ".jp-mod-active .jp-OutputArea")
    assert "Visible checks passed" in me.answer("center_slopes", RIGHT["center_slopes"])
    assert "Visible checks passed" in me.answer("center_jacobian_full", RIGHT["center_jacobian_full"])
    assert "wrong" in me.answer("center_backward", RIGHT["center_backward"].replace("mean", "sum"))
    me.active.evaluate("(cell) => cell.scrollIntoView({block: 'end'})")
    below = me.active.bounding_box()
    above = me.active.locator("xpath=preceding-sibling::*[1]").bounding_box()
    height = below["y"] + below["height"] - above["y"]
    picture(page, "check", clip={**above, "height": height})
    assert "Visible checks passed" in me.answer("center_backward", RIGHT["center_backward"])
    assert not faults(page, ".jp-mod-active .jp-OutputArea")

    me.go("code-c6f6f9fb")
    assert "the same as (2.7): True" in me.run()
    me.go("code-a1f5c76e")
    me.run()
    told = me.active.get_by_role("status")
    before = told.inner_text()
    me.active.get_by_role("slider", name="entry of dL/dh").focus()
    page.keyboard.press("ArrowRight")
    assert told.inner_text() != before
    page.keyboard.press("Escape")
    assert not faults(page, ".jp-mod-active .jp-OutputArea")

    page.evaluate("jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    page.locator("body[data-jp-theme-light=false]").wait_for(state="attached")
    page.keyboard.press("Escape")
    me.go("check-center_slopes")
    picture(me.active, "check-right-dark")
    for cell in ("code-a24cec9d", "center_slopes", "check-center_slopes", "code-a1f5c76e"):
        me.go(cell)
        assert not faults(page, ".jp-mod-active .jp-OutputArea"), cell

    page.keyboard.press("Control+s")
    page.wait_for_function("!jupyterapp.shell.currentWidget.context.model.dirty")
    page.close()

    next_day = learner("03_normalization")
    next_day.go("code-d014e807")
    next_day.run()
    said = next_day.own_cell(
        "load(2)\nfrom bnlib.stubs import translation\nprint(translation.center(np.array([[1.0], [3.0]])).ravel())"
    )
    assert "[-1.  1.]" in said
    assert "02_translation" in next_day.own_cell("from bnlib import progress\nprogress()")
    assert not faults(next_day.page, ".jp-mod-active .jp-OutputArea")
