import pytest
from effdet.config.model_config import efficientdet_model_param_dict, get_efficientdet_config

from mgray.config import replace
from mgray.errors import ConfigError
from mgray.models.config import ARCHITECTURES, DetectorConfig, LossConfig

KNOWN = [n for n in ARCHITECTURES if n in efficientdet_model_param_dict]


@pytest.mark.parametrize("name", KNOWN)
def test_the_table_says_what_effdet_says(name: str) -> None:
    theirs = get_efficientdet_config(name)
    ours = ARCHITECTURES[name]
    assert (ours.backbone, ours.channels) == (theirs.backbone_name, theirs.fpn_channels)
    assert (ours.cells, ours.head_convs) == (theirs.fpn_cell_repeats, theirs.box_class_repeats)
    assert ours.lite == (theirs.act_type == "relu6")
    assert ours.weighted == (theirs.fpn_name != "bifpn_sum")
    assert (ours.anchor_scale, ours.max_level) == (theirs.anchor_scale, theirs.max_level)
    assert ours.same_padding == (theirs.pad_type == "same")
    assert ours.redundant_bias == theirs.redundant_bias


def test_every_published_size_is_there() -> None:
    sizes = [*(f"d{i}" for i in range(8)), "d7x", *(f"lite{i}" for i in range(5))]
    assert {f"tf_efficientdet_{size}" for size in sizes} <= set(ARCHITECTURES)


def test_most_of_the_table_is_checked_against_effdet() -> None:
    assert set(ARCHITECTURES) - set(KNOWN) == {f"efficientdet_lite{i}" for i in range(1, 5)}


def test_d7x_has_six_levels() -> None:
    assert ARCHITECTURES["tf_efficientdet_d7x"].levels == 6


def test_an_unknown_name_is_told_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"name='efficientdet_light0'.*'efficientdet_lite0'"):
        replace(DetectorConfig(), {"name": "efficientdet_light0"})


@pytest.mark.parametrize(
    "change", [{"alpha_positive": 1.1}, {"gamma_negative": -1}, {"huber_delta": 0}]
)
def test_a_loss_that_makes_no_sense_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="Input should be"):
        replace(LossConfig(), change)


def test_the_config_knows_its_architecture() -> None:
    assert DetectorConfig(name="tf_efficientdet_d3").architecture.channels == 160
