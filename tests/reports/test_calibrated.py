from typing import Any
from xml.etree import ElementTree

import pytest

from mgray.reports.calibrated import reliability_drawing

BINS = [
    {"cases": 8, "predicted": 0.1, "observed": 0.25, "ci95": [0.07, 0.59]},
    {"cases": 2, "predicted": 0.8, "observed": 1.0, "ci95": [0.34, 1.0]},
]


@pytest.fixture
def classification() -> dict[str, Any]:
    models = {model: {"reliability": BINS} for model in ("sm", "ffdm", "fused")}
    return {"bins": 10, "models": models}


def test_the_figure_names_every_model_and_its_bins(classification: dict[str, Any]) -> None:
    drawing = reliability_drawing(classification)
    assert ElementTree.fromstring(drawing.svg).tag.endswith("svg")
    for word in ("SM", "FFDM", "Fused", "Share of positive images", "Images in each bin"):
        assert word in drawing.svg
    assert "10 bins of equal width" in drawing.caption


def test_only_sm_and_fused_get_intervals(classification: dict[str, Any]) -> None:
    assert reliability_drawing(classification).svg.count('id="LineCollection') == 2


def test_a_model_of_one_bin_is_drawn(classification: dict[str, Any]) -> None:
    classification["models"] = {"untrained": {"reliability": BINS[:1]}}
    assert "Untrained" in reliability_drawing(classification).svg


def test_the_figure_is_the_same_every_time(classification: dict[str, Any]) -> None:
    assert reliability_drawing(classification) == reliability_drawing(classification)
