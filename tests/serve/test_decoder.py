"""The decoder as an object: what it starts with."""

from mgray.data.transforms import PreprocessConfig
from mgray.dicom.limits import Limits
from mgray.models.saved import save_model
from mgray.models.shelf import Shelf
from serve import decoder
from serve.answers import Refusal
from tests.networks import small_meta, spread_model
from tests.serve.conftest import save_random_model


def test_the_version_that_is_current_is_warm(tmp_path, make_dicom, monkeypatch):
    monkeypatch.setattr(decoder, "give_way", lambda: None)  # this process goes on
    shelf = Shelf(tmp_path)
    save_random_model(tmp_path / "fused" / "2", seed=0)
    shelf.choose("fused", "2")
    made = decoder.Decoder(shelf, "fused", Limits())
    (warm,) = made.children.values()
    assert made(make_dicom(), "fused/2").image.kind == "synthetic_2d"
    assert list(made.children.values()) == [warm]


def test_an_image_of_a_kind_without_a_window_is_refused(tmp_path, make_dicom, monkeypatch):
    monkeypatch.setattr(decoder, "give_way", lambda: None)
    shape = PreprocessConfig(
        net_height=128, net_width=128, fit="window", windows={"ffdm": (300, 200)}
    )
    meta = small_meta(preprocess=shape.model_dump())
    save_model(tmp_path / "fused" / "1", spread_model(meta), meta)
    shelf = Shelf(tmp_path)
    shelf.choose("fused", "1")
    made = decoder.Decoder(shelf, "fused", Limits())
    refused = made(make_dicom(), "fused/1")
    assert refused == Refusal("unsupported_kind", "the model takes no images of this kind")
