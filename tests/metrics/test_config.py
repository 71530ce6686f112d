import pytest

from mgray.config import build, replace
from mgray.errors import ConfigError
from mgray.metrics.config import BootstrapConfig, FrocConfig, HitConfig


def test_the_defaults_are_the_papers() -> None:
    assert (HitConfig().profile, HitConfig().strict, HitConfig().min_radius_px) == (
        "dbtex",
        True,
        100,
    )
    assert BootstrapConfig().replicates == 10_000
    assert FrocConfig().operating_fppi == 1.0


def test_an_unknown_profile_is_one_line() -> None:
    with pytest.raises(ConfigError, match="profile='coco'"):
        build(HitConfig, {"profile": "coco"})


def test_a_negative_radius_is_refused() -> None:
    with pytest.raises(ConfigError, match="min_radius_px"):
        replace(HitConfig(), {"min_radius_px": -1})


def test_the_methods_text_says_what_bca_leaves_out() -> None:
    text = BootstrapConfig.model_fields["method"].description
    assert "The gap closed and the bands of curves are percentile either way" in text
