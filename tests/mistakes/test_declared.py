"""What exercises declare: every way to an output, and its terms, have the value that the checks take for the truth."""

import numpy as np
import pytest

from bnlib.checks import checks_of, visible
from bnlib.judging.received import by_name
from bnlib.stubs import lessons

DECLARED = [
    stub
    for lesson in lessons()
    for stub in lesson.stubs.values()
    if getattr(checks_of(stub), "known", None) is not None
]


@pytest.mark.parametrize("stub", DECLARED, ids=lambda stub: stub.id)
def test_every_way_comes_to_the_truth(stub):
    checks = checks_of(stub)
    ways = {output: checks.known.of(output) for output in checks.outputs}
    assert any(ways.values())
    for case in visible(stub):
        right = by_name(checks.outputs, checks.truth(case))
        for output in checks.outputs:
            terms = [term.value(case) for term in checks.terms_of(output)]
            scale = max(float(np.max(np.abs(value))) for value in (right[output], *terms))
            for way in ways[output]:
                value = way.value(way.right, case)
                assert value.shape == right[output].shape
                np.testing.assert_allclose(value, right[output], rtol=0, atol=1e-7 * scale, err_msg=output)
