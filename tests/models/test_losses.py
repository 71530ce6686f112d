import math

import pytest
import torch
from effdet.anchors import AnchorLabeler, Anchors
from effdet.config import get_efficientdet_config
from effdet.loss import DetectionLoss
from torch import Tensor

from mgray.config import replace
from mgray.models.anchors import build_anchors
from mgray.models.config import ARCHITECTURES, LossConfig
from mgray.models.losses import detection_loss, focal_loss, target_loss
from mgray.models.matching import assign_targets
from mgray.models.outputs import Outputs

ANCHORS = torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 10], [0, 20, 10, 30]])
BOX, LABEL = ANCHORS[:1] + 1, torch.tensor([1])
NO_BOX, NO_LABEL = torch.zeros(0, 4), torch.zeros(0, dtype=torch.long)
LIKE_EFFDET = LossConfig(alpha_positive=0.25, gamma_positive=1.5, gamma_negative=1.5)


def outputs(batch: int, seed: int = 0, classes: int = 2) -> Outputs:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(batch, len(ANCHORS), classes, generator=generator)
    return Outputs([logits], [torch.randn(batch, len(ANCHORS), 4, generator=generator)])


def test_focal_loss_is_the_papers_formula() -> None:
    config = LossConfig(alpha_positive=0.9, gamma_positive=2.0, gamma_negative=3.0)
    logit = torch.tensor([0.4, 0.4])
    p = 1 / (1 + math.exp(-0.4))
    expected = [-0.9 * (1 - p) ** 2 * math.log(p), -0.1 * p**3 * math.log(1 - p)]
    assert focal_loss(logit, torch.tensor([1.0, 0.0]), config).tolist() == pytest.approx(expected)


def test_alpha_weighs_positives_and_its_rest_negatives() -> None:
    plain = LossConfig(alpha_positive=0.8, gamma_positive=0.0, gamma_negative=0.0)
    loss = focal_loss(torch.zeros(2), torch.tensor([1.0, 0.0]), plain)
    assert float(loss[0] / loss[1]) == pytest.approx(4)


def test_each_gamma_acts_on_its_own_side() -> None:
    truth, logits = torch.tensor([1.0, 0.0]), torch.tensor([1.0, -1.0])
    base = focal_loss(logits, truth, LossConfig())
    sharper = focal_loss(logits, truth, LossConfig(gamma_negative=5.0))
    assert sharper[0] == base[0]
    assert sharper[1] < base[1]


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.5])
def test_the_gradient_is_finite_where_the_score_rounds_to_0_or_1(gamma: float) -> None:
    logits = torch.tensor([200.0, -200.0, 200.0, -200.0], requires_grad=True)
    config = LossConfig(gamma_positive=gamma, gamma_negative=gamma)
    focal_loss(logits, torch.tensor([1.0, 1.0, 0.0, 0.0]), config).sum().backward()
    assert logits.grad is not None
    assert bool(logits.grad.isfinite().all())


def test_smoothing_moves_labels_half_way_to_a_half() -> None:
    config = LossConfig(gamma_positive=0.0, gamma_negative=0.0, label_smoothing=0.2)
    loss = focal_loss(torch.tensor([math.log(9.0)]), torch.ones(1), config)
    assert float(loss) == pytest.approx(-0.9 * (0.9 * math.log(0.9) + 0.1 * math.log(0.1)))


def test_the_loss_is_the_class_loss_and_the_weighted_box_loss() -> None:
    config = LossConfig(box_weight=7.0)
    losses = detection_loss(outputs(1), ANCHORS, [BOX], [LABEL], config)
    total = losses["class_loss"] + 7 * losses["box_loss"]
    torch.testing.assert_close(losses["loss"], total)


def test_the_box_loss_is_hubers_over_four_times_the_normaliser() -> None:
    found = Outputs([torch.zeros(1, 3, 2)], [torch.full((1, 3, 4), 0.1)])
    losses = detection_loss(found, ANCHORS, [BOX], [LABEL], LossConfig())
    error = torch.tensor([0.0, 0, 0.1, 0.1])  # the target is 0.1, 0.1, 0, 0
    huber = torch.where(error > 0.1, 0.1 * (error - 0.05), error**2 / 2).sum()
    torch.testing.assert_close(losses["box_loss"], huber / 8)


def test_perfect_boxes_cost_nothing() -> None:
    targets = assign_targets(ANCHORS, [BOX], [LABEL])
    found = Outputs([torch.zeros(1, 3, 2)], [targets.deltas])
    assert float(target_loss(found, targets, LossConfig())["box_loss"]) == 0


def test_only_matched_anchors_learn_boxes() -> None:
    found = outputs(1)
    found.box_deltas[0].requires_grad_()
    detection_loss(found, ANCHORS, [BOX], [LABEL], LossConfig())["box_loss"].backward()
    grad = found.box_deltas[0].grad
    assert grad is not None
    assert grad[0, 0].any()
    assert not grad[0, 1:].any()


def test_images_without_boxes_have_a_class_loss_alone() -> None:
    losses = detection_loss(outputs(2), ANCHORS, [NO_BOX] * 2, [NO_LABEL] * 2, LossConfig())
    assert float(losses["class_loss"]) > 0
    assert float(losses["box_loss"]) == 0


def test_the_normaliser_is_the_positives_plus_one() -> None:
    targets = assign_targets(ANCHORS, [BOX], [LABEL])
    own = target_loss(outputs(1), targets, LossConfig())
    given = target_loss(outputs(1), targets, LossConfig(), torch.tensor(2.0))
    torch.testing.assert_close(own["loss"], given["loss"])


def test_a_given_normaliser_divides_everything() -> None:
    targets = assign_targets(ANCHORS, [BOX], [LABEL])
    one = target_loss(outputs(1), targets, LossConfig(), torch.tensor(1.0))
    ten = target_loss(outputs(1), targets, LossConfig(), torch.tensor(10.0))
    for name, value in one.items():
        torch.testing.assert_close(value, 10 * ten[name])


def test_averaged_over_two_ranks_the_loss_is_that_of_the_whole_batch() -> None:
    config, found = LossConfig(), outputs(2)
    boxes, labels = [BOX, NO_BOX], [LABEL, NO_LABEL]
    whole = detection_loss(found, ANCHORS, boxes, labels, config)["loss"]
    normaliser = torch.tensor((1 + 1.0) / 2)
    ranks = [
        target_loss(
            Outputs([found.class_logits[0][i : i + 1]], [found.box_deltas[0][i : i + 1]]),
            assign_targets(ANCHORS, [boxes[i]], [labels[i]]),
            config,
            normaliser,
        )["loss"]
        for i in range(2)
    ]
    torch.testing.assert_close((ranks[0] + ranks[1]) / 2, whole)


def test_a_positive_image_of_unknown_boxes_teaches_nothing() -> None:
    masked = assign_targets(ANCHORS, [BOX, NO_BOX], [LABEL, NO_LABEL], torch.tensor([False, True]))
    alone = assign_targets(ANCHORS, [BOX], [LABEL])
    both = outputs(2)
    first = Outputs([both.class_logits[0][:1]], [both.box_deltas[0][:1]])
    torch.testing.assert_close(
        target_loss(both, masked, LossConfig()), target_loss(first, alone, LossConfig())
    )


def test_half_precision_outputs_give_a_float32_loss() -> None:
    half = Outputs([torch.zeros(1, 3, 2).bfloat16()], [torch.zeros(1, 3, 4).bfloat16()])
    loss = detection_loss(half, ANCHORS, [BOX], [LABEL], LossConfig())["loss"]
    assert loss.dtype == torch.float32


def their_losses(
    name: str, found: Outputs, boxes: list[Tensor], labels: list[Tensor]
) -> dict[str, Tensor]:
    """The loss of effdet's training bench, with its config's alpha and gamma."""
    config = get_efficientdet_config(name)
    config.num_classes, config.image_size = 2, (128, 256)
    labeler = AnchorLabeler(Anchors.from_config(config), 2, match_threshold=0.5)
    yxyx = [box[:, [1, 0, 3, 2]] for box in boxes]
    targets = labeler.batch_label_anchors(yxyx, [label + 1 for label in labels])
    maps = [
        [
            level.unflatten(1, (128 >> i, 256 >> i, 9)).flatten(3).permute(0, 3, 1, 2)
            for i, level in enumerate(levels, start=3)
        ]
        for levels in (found.class_logits, [b[..., [1, 0, 3, 2]] for b in found.box_deltas])
    ]
    losses = DetectionLoss(config)(*maps, *targets)
    return dict(zip(("loss", "class_loss", "box_loss"), losses, strict=True))


SCENES = {
    "boxes": [torch.tensor([[30.0, 20, 70, 50], [100, 40, 210, 110]]), BOX * 3],
    "some images without boxes": [torch.tensor([[30.0, 20, 70, 50]]), NO_BOX],
    "no boxes": [NO_BOX, NO_BOX],
    "overlapping boxes": [torch.tensor([[30.0, 20, 70, 50], [32, 22, 68, 55]]), NO_BOX],
}


@pytest.mark.parametrize("name", ["tf_efficientdet_d0", "tf_efficientdet_lite0"])
@pytest.mark.parametrize("scene", SCENES)
def test_losses_equal_effdets(name: str, scene: str) -> None:
    generator = torch.Generator().manual_seed(5)
    counts = [9 * (128 >> i) * (256 >> i) for i in range(3, 8)]
    found = Outputs(
        [2 * torch.randn(2, n, 2, generator=generator) for n in counts],
        [torch.randn(2, n, 4, generator=generator) / 2 for n in counts],
    )
    boxes = SCENES[scene]
    labels = [torch.arange(len(box)) % 2 for box in boxes]
    anchors = build_anchors(128, 256, ARCHITECTURES[name].anchor_scale)
    ours = detection_loss(found, anchors, boxes, labels, LIKE_EFFDET)
    theirs = their_losses(name, found, boxes, labels)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_a_loss_weight_can_be_searched_by_its_dotted_key() -> None:
    assert replace(LossConfig(), {"gamma_negative": 1}).gamma_negative == 1.0
