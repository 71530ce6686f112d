"""The recipe's promises that need no training."""

import pytest

from mgray.config import leaf_keys, replace
from mgray.errors import ConfigError
from mgray.models.config import ARCHITECTURES
from mgray.recipes.fusion import TRAINED, FusionRun, base, build_stages, smoke


def test_stages_come_in_the_papers_order() -> None:
    names = [stage.name for stage in build_stages(smoke())]
    assert names == ["untrained", "sm", "ffdm", "student", "fused", "upper_bound"]


def test_each_stage_reads_its_own_images() -> None:
    kinds = {stage.name: stage.feed.kinds for stage in build_stages(smoke())}
    assert kinds["sm"] == kinds["fused"] == ("sm",)
    assert kinds["ffdm"] == ("ffdm",)
    assert kinds["student"] == kinds["upper_bound"] == ("sm", "ffdm")


@pytest.mark.parametrize("make", [base, smoke])
def test_network_sides_are_divisible_by_the_coarsest_stride(make: type[FusionRun]) -> None:
    config = make()
    divisor = 2 ** ARCHITECTURES[config.detector.name].max_level
    size = config.batches.preprocess
    assert size.net_height % divisor == size.net_width % divisor == 0


@pytest.mark.parametrize("make", [base, smoke])
def test_the_papers_loss_is_the_default(make: type[FusionRun]) -> None:
    loss = make().loss
    assert (loss.alpha_positive, loss.gamma_positive, loss.box_weight) == (0.9, 2.5, 50.0)


def test_the_papers_learning_rate_is_that_of_base() -> None:
    assert base().optimizer.learning_rate == 1.5e-4


def test_uniform_sampling_of_stage_two_touches_no_other_stage() -> None:
    stages = build_stages(replace(smoke(), {"distillation.sampler": "uniform"}))
    modes = {stage.name: stage.feed.data.sampler.mode for stage in stages}
    assert modes.pop("student") == "uniform"
    assert set(modes.values()) == {smoke().batches.sampler.mode}


def test_steps_are_set_by_stage() -> None:
    stages = build_stages(replace(smoke(), {"train.steps.student": 7}))
    assert {s.name: s.loop.steps for s in stages}["student"] == 7


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train.steps": {"sm": 1}}, f"needs the stages {', '.join(TRAINED)}"),
        ({"batches.sampler.mode": "weighted"}, "for classifiers"),
        ({"train.workers": 3}, "not a multiple of train.workers=3"),
        ({"optimizer.learnig_rate": 1}, "did you mean 'optimizer.learning_rate'"),
    ],
)
def test_a_config_that_cannot_work_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(smoke(), changes)


def test_what_the_sweep_tunes_has_a_key() -> None:
    keys = set(leaf_keys(FusionRun))
    assert {"loss.alpha_positive", "loss.gamma_positive", "optimizer.learning_rate"} <= keys
