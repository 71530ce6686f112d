from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa

from mgray.data.table import ImageTable
from mgray.reports.audit import Audit
from mgray.reports.cases import build_cases
from mgray.reports.figures import audit_drawing, curves_drawing, froc_drawing, read_metrics


def froc_of(world: object, *models: str) -> object:
    """The FROC figure of these models on the test split."""
    parts = [rows for _, rows in world.predict(dict.fromkeys(models), None, ["test"])]
    cases = build_cases(
        ImageTable.open(world.config.data), pa.concat_tables(parts), "test", world.config.hit
    )
    return froc_drawing(cases, world.config.bootstrap)


def test_froc_names_every_model_and_its_bands(world: object) -> None:
    drawing = froc_of(world, "sm", "fused")
    assert ElementTree.fromstring(drawing.svg).tag.endswith("svg")
    assert all(word in drawing.svg for word in ("SM", "Fused", "Lesion sensitivity"))
    assert "100 patient resamples" in drawing.caption


def test_learning_curves_show_the_stages_that_have_metrics(world: object) -> None:
    drawing = curves_drawing(world.config.run)
    assert drawing is not None
    assert "I-A · SM detector" in drawing.svg
    assert "cosine similarity" in drawing.svg
    assert "III · fused" not in drawing.svg


def test_a_run_without_metrics_has_no_learning_curves(tmp_path: object) -> None:
    assert curves_drawing(tmp_path) is None


def test_a_torn_last_line_of_metrics_is_left_out(tmp_path: object) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n{"st')
    assert read_metrics(tmp_path / "metrics.jsonl") == [{"step": 1}]


def test_the_audit_says_its_medians_and_failures() -> None:
    drawing = audit_drawing(Audit(np.array([0.9, 0.95]), np.array([0.01, 0.03]), 1))
    assert drawing is not None
    assert "median Dice 0.925" in drawing.caption
    assert "no breast found in 1" in drawing.caption


def test_an_empty_audit_has_no_drawing() -> None:
    assert audit_drawing(Audit(np.zeros(0), np.zeros(0), 2)) is None


def bands(world: object, *models: str) -> int:
    """How many filled areas a FROC figure of these models has."""
    return froc_of(world, *models).svg.count("FillBetweenPolyCollection")


def test_only_sm_and_fused_get_a_band(world: object) -> None:
    assert bands(world, "sm", "ffdm", "fused") == 4  # two panels
    assert bands(world, "ffdm", "upper_bound") == 0


def test_a_drawing_is_the_same_every_time(world: object) -> None:
    drawings = [curves_drawing(world.config.run) for _ in range(2)]
    assert drawings[0] == drawings[1]


def test_drawings_name_no_date_and_no_local_font(world: object) -> None:
    drawing = curves_drawing(world.config.run)
    assert drawing is not None
    assert "dc:date" not in drawing.svg
    assert "DejaVu" not in drawing.svg


def test_a_constant_negative_loss_is_drawn_without_a_logarithm(tmp_path: Path) -> None:
    folder = tmp_path / "stages" / "sm"
    folder.mkdir(parents=True)
    (folder / "metrics.jsonl").write_text('{"step": 1, "loss": -0.5}\n{"step": 2, "loss": -0.5}\n')
    assert curves_drawing(tmp_path) is not None
