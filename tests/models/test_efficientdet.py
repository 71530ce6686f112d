from collections.abc import Callable

import effdet
import pytest
import torch
from effdet.anchors import Anchors
from effdet.config import get_efficientdet_config
from torch import Tensor

from mgray.errors import ConfigError
from mgray.models.efficientdet import EfficientDet
from mgray.models.weights import map_effdet

Make = Callable[..., EfficientDet]
Shake = Callable[[torch.nn.Module, int], None]
PARITY = ["tf_efficientdet_d0", "efficientdet_d0", "tf_efficientdet_lite0", "efficientdet_lite0"]


def effdet_model(name: str, shake: Shake) -> torch.nn.Module:
    model: torch.nn.Module = effdet.create_model(
        name, pretrained=False, pretrained_backbone=False, num_classes=2, image_size=(128, 256)
    )
    shake(model, 4)
    return model


def their_outputs(model: torch.nn.Module, image: Tensor) -> tuple[Tensor, Tensor]:
    """In our order: by anchor, boxes x before y."""
    levels = model(image)
    classes, boxes = (
        torch.cat([m.permute(0, 2, 3, 1).reshape(len(m), -1, n) for m in maps], dim=1)
        for maps, n in zip(levels, (2, 4), strict=True)
    )
    return classes, boxes[..., [1, 0, 3, 2]]


@pytest.mark.parametrize("name", PARITY)
def test_outputs_equal_effdets_for_the_same_weights(
    name: str, image: Tensor, new_detector: Make, shake: Shake
) -> None:
    theirs, ours = effdet_model(name, shake).eval(), new_detector(0, name=name).eval()
    ours.load_state_dict(map_effdet(theirs.state_dict()))
    with torch.no_grad():
        expected, found = their_outputs(theirs, image), ours(image).flat()
    assert min(float(part.std()) for part in expected) > 0.05  # weights that say something
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_gradients_equal_effdets_in_training_mode(
    image: Tensor, new_detector: Make, shake: Shake
) -> None:
    theirs, ours = (
        effdet_model("tf_efficientdet_lite0", shake),
        new_detector(0, name="tf_efficientdet_lite0"),
    )
    ours.load_state_dict(map_effdet(theirs.state_dict()))
    same_layout = image.contiguous(memory_format=torch.channels_last)
    sum(part.square().mean() for part in their_outputs(theirs, same_layout)).backward()
    sum(part.square().mean() for part in ours(image).flat()).backward()
    expected = map_effdet({name: p.grad for name, p in theirs.named_parameters()})
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.parametrize("name", PARITY)
def test_anchors_equal_effdets(name: str, new_detector: Make) -> None:
    config = get_efficientdet_config(name)
    config.image_size = (128, 256)
    theirs = Anchors.from_config(config).boxes[:, [1, 0, 3, 2]]
    torch.testing.assert_close(new_detector(0, name=name).anchors(128, 256), theirs)


def test_there_is_one_prediction_for_each_anchor(detector: EfficientDet, image: Tensor) -> None:
    logits, deltas = detector(image).flat()
    anchors = detector.anchors(128, 256)
    assert logits.shape == (2, len(anchors), 2)
    assert deltas.shape == (2, len(anchors), 4)


def test_forward_is_predict_of_features(detector: EfficientDet, image: Tensor) -> None:
    with torch.no_grad():
        two_steps = detector.predict(detector.features(image)).flat()
        assert all(map(torch.equal, two_steps, detector(image).flat()))


def test_features_are_five_maps_of_the_necks_width(detector: EfficientDet, image: Tensor) -> None:
    shapes = [tuple(m.shape) for m in detector.features(image)]
    assert shapes == [(2, 64, 128 >> i, 256 >> i) for i in range(3, 8)]


@pytest.mark.parametrize(("height", "width"), [(128, 200), (100, 128)])
def test_a_side_that_does_not_divide_is_refused(
    detector: EfficientDet, height: int, width: int
) -> None:
    with pytest.raises(ConfigError, match=f"{height}x{width}.*divisible by 128"):
        detector(torch.zeros(1, 3, height, width))


def test_untrained_scores_are_one_in_a_hundred(image: Tensor, new_detector: Make) -> None:
    logits, _ = new_detector(0).eval()(image).flat()
    assert 0.005 < float(logits.detach().sigmoid().median()) < 0.02


def test_one_seed_makes_one_detector(new_detector: Make) -> None:
    one, same, another = new_detector(7), new_detector(7), new_detector(8)
    key = "class_head.convs.0.pointwise.weight"
    assert torch.equal(one.state_dict()[key], same.state_dict()[key])
    assert not torch.equal(one.state_dict()[key], another.state_dict()[key])


def test_the_number_of_classes_is_free(image: Tensor, new_detector: Make) -> None:
    assert new_detector(0, classes=5)(image).flat()[0].shape[-1] == 5


def test_every_parameter_gets_a_gradient(image: Tensor, new_detector: Make) -> None:
    model = new_detector(0)
    sum(part.square().mean() for part in model(image).flat()).backward()
    assert all(p.grad is not None for p in model.parameters())


def test_the_norms_momentum_is_that_of_neck_and_heads_alone(new_detector: Make) -> None:
    model = new_detector(0, norm_momentum=0.3)
    norms = {
        name: m.momentum for name, m in model.named_modules() if isinstance(m, torch.nn.BatchNorm2d)
    }
    ours = {name for name, momentum in norms.items() if momentum == 0.3}
    assert ours == {name for name in norms if not name.startswith("trunk.backbone")}


def test_an_image_does_not_depend_on_its_batch(detector: EfficientDet, image: Tensor) -> None:
    with torch.no_grad():
        both, alone = detector(image).flat()[0][:1], detector(image[:1]).flat()[0]
    torch.testing.assert_close(both, alone, rtol=1e-4, atol=1e-4)
