"""Nothing but the finding itself may tell of a finding."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mgray.phantom.config import ExamConfig
from mgray.phantom.exam import Picture, make_view
from mgray.phantom.geometry import sample_breast
from mgray.phantom.lesions import sample_findings

EXAMS = 28
CONFIG = ExamConfig(seed=11, height=512, width=416, pixel_mm=0.28)
Statistic = Callable[[np.ndarray], float]
STATISTICS: dict[str, Statistic] = {
    "mean": lambda x: float(x[x > 0].mean()),
    "sd": lambda x: float(x[x > 0].std()),
    "q50": lambda x: float(np.quantile(x[x > 0], 0.5)),
    "q99": lambda x: float(np.quantile(x[x > 0], 0.99)),
    "maximum": lambda x: float(x.max()),
    "area": lambda x: float((x > 0).mean()),
}


@pytest.fixture(scope="module")
def pictures() -> list[Picture]:
    made: list[Picture] = []
    for number in range(EXAMS):
        key = (CONFIG.seed, number)
        for side in ("L", "R"):
            findings = sample_findings(key, side, CONFIG)
            made += make_view(CONFIG, sample_breast(key), (side, "CC"), findings)
    return made


def bound(positive: int, negative: int) -> float:
    """Three standard errors of a chance AUC (Hanley and McNeil 1982)."""
    return 3 * float(np.sqrt((positive + negative + 1) / (12 * positive * negative)))


@pytest.mark.parametrize("name", STATISTICS)
@pytest.mark.parametrize("kind", ["ffdm", "synthetic_2d"])
@pytest.mark.parametrize("label", ["finding", "cancer"])
def test_image_statistics_do_not_tell_the_label(
    pictures: list[Picture], label: str, kind: str, name: str
) -> None:
    chosen = [p for p in pictures if p.kind == kind]
    truth = [bool(p.truths) if label == "finding" else p.cancer for p in chosen]
    auc = roc_auc_score(truth, [STATISTICS[name](p.pixels) for p in chosen])
    assert abs(auc - 0.5) < bound(sum(truth), len(truth) - sum(truth))


@pytest.mark.parametrize("label", ["finding", "cancer"])
def test_thickness_and_size_do_not_tell_the_label(pictures: list[Picture], label: str) -> None:
    chosen = [p for p in pictures if p.kind == "ffdm"]
    truth = [bool(p.truths) if label == "finding" else p.cancer for p in chosen]
    auc = roc_auc_score(truth, [p.thickness_mm for p in chosen])
    assert abs(auc - 0.5) < bound(sum(truth), len(truth) - sum(truth))
