import pytest

from mgray.config import replace
from mgray.recipes.arms import ARMS, CONTROLS, FULL
from mgray.recipes.fusion import build_stages
from mgray.recipes.fusion_config import TRAINED, FusionRun, phantom, tiny

READS = {
    "sm": (),
    "ffdm": (),
    "student": ("sm", "ffdm"),
    "fused": ("sm", "student"),
    "upper_bound": ("sm", "ffdm"),
}
"""Stages whose models a stage starts from."""
OWN = {"student": ("distillation",), "fused": ("fusion",), "upper_bound": ("fusion",)}
"""Parts of the config that only these stages look at."""


@pytest.mark.parametrize("name", ARMS)
def test_changes_are_keys_of_the_recipe_and_change_it(name: str) -> None:
    changes = ARMS[name].changes
    assert any(replace(make(), changes) != make() for make in (tiny, phantom)) is bool(changes)


@pytest.mark.parametrize("name", ARMS)
def test_an_arm_trains_every_stage_that_reads_one_it_trains(name: str) -> None:
    trains = {*ARMS[name].trains}
    for stage in trains - {"upper_bound"}:
        later = {other for other, reads in READS.items() if stage in reads}
        assert later - {"upper_bound"} <= trains or trains == set(TRAINED)


@pytest.mark.parametrize("name", ARMS)
def test_what_an_arm_takes_over_is_what_it_would_train_itself(name: str) -> None:
    arm = ARMS[name]
    ours, base = (stages(replace(tiny(), changes)) for changes in (arm.changes, {}))
    sections = {key.partition(".")[0] for key in arm.changes}
    for stage in {*TRAINED} - {*arm.trains} - {"upper_bound"}:
        assert ours[stage].feed == base[stage].feed
        assert ours[stage].loop.steps == base[stage].loop.steps
        assert ours[stage].loop.optimizer == base[stage].loop.optimizer
        assert not sections & {*OWN.get(stage, ()), "loss", "detector"}


def test_the_full_arm_changes_nothing_and_trains_all() -> None:
    assert (dict(ARMS[FULL].changes), ARMS[FULL].trains) == ({}, TRAINED)


def test_controls_are_arms() -> None:
    assert {*CONTROLS} < {*ARMS}


def stages(config: FusionRun) -> dict[str, object]:
    return {stage.name: stage for stage in build_stages(config)}
