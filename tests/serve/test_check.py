"""``python -m jobs.serve_check`` against the running endpoint."""

import logging

import pytest

from mgray.errors import ConfigError, DataError
from mgray.inference.predictor import Predictor
from mgray.inference.smoke import smoke_test
from mgray.models.folder import model_sha256
from mgray.recipes.serve_check import ServeCheckConfig, compare_answer, run_serve_check

pytestmark = pytest.mark.ray


def test_a_sound_endpoint_passes_every_check(endpoint, model_folder, caplog):
    caplog.set_level(logging.INFO)
    assert run_serve_check(ServeCheckConfig(url=endpoint, model=model_folder)) == 0
    lines = [record.message for record in caplog.records if record.name.endswith("serve_check")]
    assert len(lines) == 7
    assert all(line.startswith("ok ") for line in lines)
    assert "as the model folder's own answer, bit for bit" in caplog.text


def test_a_wrong_token_fails(endpoint, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    (tmp_path / "token").write_text("not-the-right-token")
    config = ServeCheckConfig(url=endpoint, token_file=tmp_path / "token", limits=False)
    assert run_serve_check(config) == 1
    assert "FAILED  the reference image" in caplog.text
    assert "401 (unauthorized), expected 200" in caplog.text


def test_another_model_than_the_expected_fails(endpoint, other_model, caplog):
    caplog.set_level(logging.INFO)
    config = ServeCheckConfig(url=endpoint, model=other_model, limits=False)
    assert run_serve_check(config) == 1
    assert "another model answers" in caplog.text


def test_nobody_there_fails_every_check_in_one_line_each(caplog):
    caplog.set_level(logging.INFO)
    assert run_serve_check(ServeCheckConfig(url="http://127.0.0.1:9", limits=False)) == 1
    assert "Traceback" not in caplog.text


def test_without_a_token_it_says_how_to_give_one(monkeypatch):
    monkeypatch.delenv("MGRAY_TOKEN")
    with pytest.raises(ConfigError, match="no token: give token_file=FILE"):
        run_serve_check(ServeCheckConfig(url="http://127.0.0.1:9"))


def test_an_answer_may_differ_by_rounding_and_no_more(model_folder):
    boxes = smoke_test(Predictor.load(model_folder))

    def compared(pixels, score):
        moved = [
            {
                "box": [edge + pixels for edge in one.box],
                "score": one.score + score,
                "label": one.label,
            }
            for one in boxes
        ]
        model = {"sha256": model_sha256(model_folder)}
        return compare_answer({"model": model, "images": [{"detections": moved}]}, model_folder)

    assert boxes
    assert compared(0.0, 0.0) == "bit for bit"
    assert compared(0.01, 1e-6) == "but for rounding, as by another kind of processor"
    for pixels, score in ((1.0, 0.0), (0.0, 0.001)):
        with pytest.raises(DataError, match="is not the model's own"):
            compared(pixels, score)
