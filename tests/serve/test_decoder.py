"""The decoder as an object: what it starts with."""

from mgray.dicom.limits import Limits
from mgray.models.shelf import Shelf
from serve import decoder
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
