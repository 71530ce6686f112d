"""Made-up outcomes for the tests of curves and areas."""

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from mgray.metrics.outcomes import Outcomes

Marks = Sequence[tuple[float, int]]
MISS = -np.inf


def outcomes(lesions: Marks, false: Marks, images: int, repeats: Marks = ()) -> Outcomes:
    """From (score, image) lists."""

    def columns(marks: Marks) -> tuple[np.ndarray, np.ndarray]:
        rows = np.array(marks, float).reshape(-1, 2)
        return rows[:, 0], rows[:, 1].astype(int)

    return Outcomes(*columns(lesions), *columns(false), images, *columns(repeats))


SMALL = outcomes([(0.9, 0), (0.5, 1), (MISS, 1)], [(0.8, 2), (0.5, 3), (0.3, 0), (0.1, 2)], 4)


@st.composite
def any_outcomes(draw: st.DrawFn) -> Outcomes:
    """Up to six images; scores from a coarse grid, so that ties are common."""
    images = draw(st.integers(1, 6))
    score = st.sampled_from([0.1, 0.2, 0.3, 0.4, 0.5])
    image = st.integers(0, images - 1)
    hits = draw(st.lists(st.tuples(score | st.just(MISS), image), min_size=1, max_size=6))
    false = draw(st.lists(st.tuples(score, image), max_size=12))
    repeats = draw(st.lists(st.tuples(score | st.just(0.25), image), max_size=3))
    return outcomes(hits, false, images, repeats)
