"""What the recipes are, without training anything."""

import pytest

from mgray.config import leaf_keys, replace
from mgray.errors import ConfigError
from mgray.models.config import ARCHITECTURES
from mgray.recipes.fusion_config import TRAINED, FusionRun, base, phantom, smoke, tiny


@pytest.mark.parametrize("make", [base, phantom, smoke, tiny])
def test_network_sides_are_divisible_by_the_coarsest_stride(make: type[FusionRun]) -> None:
    config = make()
    divisor = 2 ** ARCHITECTURES[config.detector.name].max_level
    size = config.batches.preprocess
    assert size.net_height % divisor == size.net_width % divisor == 0


@pytest.mark.parametrize("make", [base, phantom, smoke, tiny])
def test_the_papers_loss_is_the_default(make: type[FusionRun]) -> None:
    loss = make().loss
    assert (loss.alpha_positive, loss.gamma_positive, loss.box_weight) == (0.9, 2.5, 50.0)


def test_the_papers_learning_rate_is_that_of_base() -> None:
    assert base().optimizer.learning_rate == 1.5e-4


def test_base_brings_pairs_together_as_the_paper_does() -> None:
    assert base().batches.preprocess.fit == "stretch"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train.steps": {"sm": 1}}, f"needs the stages {', '.join(TRAINED)}"),
        ({"batches.sampler.mode": "weighted"}, "for classifiers"),
        ({"detector.classes": 3}, r"classes=3: expected 2 \(benign and malignant\) or 1 \(malig"),
        ({"train.workers": 99}, "leaves some of train.workers=99 idle"),
        ({"train.min_workers": 3}, "train.min_workers=3: expected at most train.workers=2"),
        ({"optimizer.learnig_rate": 1}, "did you mean 'optimizer.learning_rate'"),
    ],
)
def test_a_config_that_cannot_work_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(smoke(), changes)


def test_what_the_sweep_tunes_has_a_key() -> None:
    keys = set(leaf_keys(FusionRun))
    assert {"loss.alpha_positive", "loss.gamma_positive", "optimizer.learning_rate"} <= keys
    assert "postprocess.nms_iou" in keys
