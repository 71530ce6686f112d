import runpy
import sys

import pytest

from mgray.models.config import DetectorConfig
from mgray.models.efficientdet import build_detector
from mgray.models.folder import CARD, ModelMeta, read_meta
from mgray.models.saved import save_model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model that saw EMBED and one free dataset."""
    folder = tmp_path_factory.mktemp("models") / "sm"
    config = DetectorConfig(weights="none")
    seen = ("CC-BY-4.0", "EMBED")
    meta = ModelMeta(kind="detector", inputs=("sm",), detector=config, data_licences=seen)
    save_model(folder, build_detector(config), meta)
    return folder


def export(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["jobs.export", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        runpy.run_module("jobs.export", run_name="__main__")
    return end.value.code


def test_export_is_refused_until_permission_is_given_by_name(model, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    assert export(monkeypatch, model, f"out={out}") == 2
    said = capsys.readouterr().err
    assert said.startswith("error: licence EMBED forbids handing on weights trained on data")
    assert not out.exists()
    assert export(monkeypatch, model, f"out={out}", "allow=[EMBED]") == 0
    assert read_meta(out) == read_meta(model)
    assert export(monkeypatch, model, f"out={out}", "allow=[EMBED]") == 2
    assert "is there already" in capsys.readouterr().err


def test_card_says_what_the_weights_have_seen_and_what_that_forbids(model):
    card = (model / CARD).read_text()
    assert "- EMBED: registered academic non-commercial use" in card
    assert "**Do not publish these weights: EMBED forbids it.**" in card
    assert "Non-commercial use only, by EMBED." in card
