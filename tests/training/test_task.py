"""Each stage's task: what learns, what stays, where it starts."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mgray.config import replace
from mgray.data.batches import Batch
from mgray.errors import SchemaError
from mgray.models.folder import read_meta
from mgray.models.saved import load_model
from mgray.recipes.fusion import FusionRun, build_stages
from mgray.training.feed import build_feed
from mgray.training.optimizer import build_optimizer
from mgray.training.port import LocalPort
from mgray.training.stages import Stage
from mgray.training.step import build_learner, train_step
from mgray.training.task import DetectionTask, DistillationTask, Task

StageOf = Callable[..., Stage]


def digest(module: nn.Module) -> str:
    """Hash every parameter and buffer."""
    sha = hashlib.sha256()
    for name, value in module.state_dict().items():
        sha.update(name.encode() + value.numpy().tobytes())
    return sha.hexdigest()


@pytest.fixture
def stage_of(tiny: FusionRun, finished: Path) -> StageOf:
    """A stage of the finished run, with changes to its config."""

    def make(name: str, **changes: object) -> Stage:
        dotted = {key.replace("__", "."): value for key, value in changes.items()}
        stages = build_stages(replace(tiny, {"out": finished, **dotted}))
        return next(stage for stage in stages if stage.name == name)

    return make


def step_once(stage: Stage, tmp_path: Path) -> Task:
    """Build the task, take one training step."""
    torch.manual_seed(0)
    task = stage.build().train()
    take_step(task, stage, tmp_path)
    return task


def take_step(task: Task, stage: Stage, tmp_path: Path) -> dict[str, Tensor]:
    batch = next(build_feed(stage.feed, LocalPort(tmp_path)).batches(0))
    learner = build_learner(task, 1, stage.loop.train, stage.loop.optimizer)
    return train_step(task, batch, learner, 1e-3, stage.loop.optimizer)


def test_stage_two_leaves_the_teacher_bit_identical(stage_of: StageOf, tmp_path: Path) -> None:
    stage = stage_of("student")
    task = stage.build().train()
    assert isinstance(task, DistillationTask)
    before = digest(task.teacher)
    take_step(task, stage, tmp_path)
    assert digest(task.teacher) == before


def test_stage_two_moves_the_student_and_every_projection(
    stage_of: StageOf, tmp_path: Path
) -> None:
    stage = stage_of("student")
    task = stage.build().train()
    assert isinstance(task, DistillationTask)
    learning = [task.student.detector.trunk, *task.projections]
    before = [digest(part) for part in learning]
    take_step(task, stage, tmp_path)
    assert all(digest(part) != old for part, old in zip(learning, before, strict=True))


def test_stage_three_moves_a_and_the_predictor_but_not_b(stage_of: StageOf, tmp_path: Path) -> None:
    stage = stage_of("fused")
    task = stage.build().train()
    model = task.product()
    parts = [model.get_submodule(n) for n in ("trunk_a", "class_head", "box_head", "trunk_b")]
    before = [digest(part) for part in parts]
    take_step(task, stage, tmp_path)
    moved = [digest(part) != old for part, old in zip(parts, before, strict=True)]
    assert moved == [True, True, True, False]


def test_the_upper_bound_moves_both_trunks(stage_of: StageOf, tmp_path: Path) -> None:
    stage = stage_of("upper_bound")
    task = stage.build().train()
    parts = [task.product().get_submodule(name) for name in ("trunk_a", "trunk_b")]
    before = [digest(part) for part in parts]
    take_step(task, stage, tmp_path)
    assert all(digest(part) != old for part, old in zip(parts, before, strict=True))


def test_the_fused_run_kept_b_as_the_student_left_it(finished: Path) -> None:
    fused, student = (load_model(finished / "models" / name)[0] for name in ("fused", "student"))
    assert digest(fused.get_submodule("trunk_b")) == digest(student.get_submodule("trunk"))


@pytest.mark.parametrize("name", ["student", "fused"])
def test_frozen_parts_have_no_gradient_and_are_not_optimised(
    stage_of: StageOf, tmp_path: Path, name: str
) -> None:
    task = step_once(stage_of(name), tmp_path)
    frozen = set(task.frozen_names())
    parameters = dict(task.named_parameters())
    optimised = {
        id(parameter)
        for group in build_optimizer(task, stage_of(name).loop.optimizer).param_groups
        for parameter in group["params"]
    }
    assert frozen & parameters.keys()
    assert all(parameters[key].grad is None for key in frozen & parameters.keys())
    assert not {id(parameters[key]) for key in frozen & parameters.keys()} & optimised
    assert all(p.grad is not None for key, p in parameters.items() if key not in frozen)


def test_frozen_batch_norms_stay_in_eval_mode(stage_of: StageOf) -> None:
    task = stage_of("student").build().train()
    assert isinstance(task, DistillationTask)
    assert task.student.training
    assert not any(module.training for module in task.teacher.modules())


def test_frozen_batch_norms_drift_if_asked_to(stage_of: StageOf, tmp_path: Path) -> None:
    stage = stage_of("student", train__frozen_batch_norm="train")
    task = stage.build().train()
    assert isinstance(task, DistillationTask)
    before = digest(task.teacher)
    take_step(task, stage, tmp_path)
    assert digest(task.teacher) != before


def test_batch_norm_eval_keeps_all_statistics(stage_of: StageOf, tmp_path: Path) -> None:
    stage = stage_of("sm", train__batch_norm="eval")
    task = stage.build().train()
    before = {k: v.clone() for k, v in task.named_buffers()}
    take_step(task, stage, tmp_path)
    assert all(torch.equal(value, before[key]) for key, value in task.named_buffers())


@pytest.mark.parametrize("mode", ["concat_head", "wide_head", "fuse_conv"])
def test_the_fused_model_starts_as_model_sm(stage_of: StageOf, finished: Path, mode: str) -> None:
    fused = stage_of("fused", fusion__mode=mode).build().eval().product()
    sm, _ = load_model(finished / "models" / "sm")
    image = torch.randn(1, 3, 128, 128)
    with torch.no_grad():
        ours, theirs = fused(image).flat(), sm(image).flat()
    for mine, wanted in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("init", "origin"), [("from_a", "sm"), ("from_c", "ffdm")])
def test_the_student_takes_its_start_from_a_or_c_if_asked_to(
    stage_of: StageOf, finished: Path, init: str, origin: str
) -> None:
    task = stage_of("student", distillation__student_init=init).build()
    model, _ = load_model(finished / "models" / origin)
    assert digest(task.product()) == digest(model)


@pytest.mark.parametrize("mode", ["global", "local"])
def test_the_normaliser_counts_positive_anchors_and_one(
    stage_of: StageOf, tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = stage_of("sm", train__normaliser=mode)
    task = stage.build().train()
    batch = next(build_feed(stage.feed, LocalPort(tmp_path)).batches(0))
    own = float(task.normaliser(batch)) - 1
    assert own > 0
    monkeypatch.setattr("mgray.training.task.sum_over_workers", lambda value: 3 * value)
    monkeypatch.setattr("mgray.training.task.world_size", lambda: 2)
    wanted = (3 * own + 1) / 2 if mode == "global" else own + 1
    assert float(task.normaliser(batch)) == pytest.approx(wanted)


def test_the_upper_bound_starts_without_stage_one_if_asked_to(
    stage_of: StageOf, finished: Path
) -> None:
    stage = stage_of("upper_bound", upper_bound_init="pretrained")
    sm, _ = load_model(finished / "models" / "sm")
    trunk = stage.build().product().get_submodule("trunk_a")
    assert digest(trunk) != digest(sm.get_submodule("trunk"))


def test_towers_as_h_train_the_heads_but_not_the_predictors(
    stage_of: StageOf, tmp_path: Path
) -> None:
    stage = stage_of("student", distillation__h_location="after_towers")
    task = stage.build().train()
    head = task.product().get_submodule("class_head")
    convs, final = digest(head.get_submodule("convs")), digest(head.get_submodule("final"))
    take_step(task, stage, tmp_path)
    assert digest(head.get_submodule("convs")) != convs
    assert digest(head.get_submodule("final")) == final


def test_stage_two_reports_similarity_as_the_negative_loss(
    stage_of: StageOf, tmp_path: Path
) -> None:
    stage = stage_of("student")
    losses = take_step(stage.build().train(), stage, tmp_path)
    assert losses["loss"] == -losses["similarity"]
    assert -1 <= losses["similarity"] <= 1


def test_the_loss_weights_boxes_as_asked(stage_of: StageOf, tmp_path: Path) -> None:
    stage = stage_of("sm", loss__box_weight=7.0)
    losses = take_step(stage.build().train(), stage, tmp_path)
    torch.testing.assert_close(losses["loss"], losses["class_loss"] + 7 * losses["box_loss"])


def test_resume_states_leave_frozen_parts_out(stage_of: StageOf) -> None:
    task = stage_of("fused").build()
    names = task.live_state().keys()
    assert not any("trunk_b" in name for name in names)
    assert any("trunk_a" in name for name in names)


def test_resume_states_hold_statistics_that_drift(stage_of: StageOf) -> None:
    task = stage_of("student", train__frozen_batch_norm="train").build()
    names = task.live_state().keys()
    assert any("teacher" in name and "running_mean" in name for name in names)
    assert not any("teacher" in name and name.endswith("conv.weight") for name in names)


@pytest.mark.parametrize(("classes", "learnt"), [(2, [0, 1]), (1, [0])])
def test_one_class_leaves_benign_findings_to_the_background(
    stage_of: StageOf, classes: int, learnt: list[int]
) -> None:
    task = stage_of("sm", detector__classes=classes).build()
    assert isinstance(task, DetectionTask)
    boxes = torch.tensor([[0.0, 0.0, 9.0, 9.0], [20.0, 20.0, 60.0, 60.0]])
    batch = Batch(
        images={"sm": torch.zeros(1, 3, 128, 128)},
        boxes={"sm": [boxes]},
        labels=[torch.tensor([0, 1])],
        positive=torch.tensor([True]),
        masked=torch.tensor([False]),
        weights=torch.ones(1),
        pair_indices=[0],
    )
    ((found,), (labels,)) = task._findings(batch)
    assert labels.tolist() == learnt
    assert torch.equal(found, boxes[-classes:])
    assert task.eval()(batch)["loss"] > 0


@pytest.mark.parametrize("classes", [1, 2])
def test_the_model_folder_names_the_class_of_each_logit(
    stage_of: StageOf, tmp_path: Path, classes: int
) -> None:
    stage = stage_of("sm", detector__classes=classes, postprocess__keep=9)
    stage.export(stage.build(), tmp_path / "model")
    meta = read_meta(tmp_path / "model")
    assert meta.labels == ("benign", "malignant")[-classes:]
    assert meta.postprocess.keep == 9


def test_a_resume_state_of_another_network_is_refused(stage_of: StageOf) -> None:
    task, other = stage_of("sm").build(), stage_of("fused").build()
    with pytest.raises(SchemaError, match="belongs to another network"):
        task.load_live_state(other.live_state())


def test_detection_looks_for_boxes_in_the_first_input(stage_of: StageOf) -> None:
    task = stage_of("upper_bound").build()
    assert isinstance(task, DetectionTask)
    assert task.inputs[0] == "sm"
