import numpy as np
import pytest
import torch

from mgray.data.augment import Augmentation, AugmentConfig, draw

WILD = AugmentConfig(flip_horizontal=0.5, shift=0.1, scale=0.2, rotation=20.0)
SIZE = (160, 128)


def square(box: tuple[int, int, int, int]) -> torch.Tensor:
    image = torch.zeros(1, *SIZE)
    x0, y0, x1, y1 = box
    image[:, y0:y1, x0:x1] = 1
    return image.expand(3, -1, -1)


def bounds(image: torch.Tensor) -> list[float]:
    """Box of what is bright."""
    y, x = np.nonzero(image[0].numpy() > 0.3)
    return [x.min(), y.min(), x.max() + 1, y.max() + 1]


def still(**changes: object) -> Augmentation:
    nothing = {
        "flip_horizontal": False, "flip_vertical": False, "shift": (0.0, 0.0), "scale": 1.0,
        "rotation": 0.0, "grey": {"sm": (1.0, 0.0), "ffdm": (1.0, 0.0)},
    }  # fmt: skip
    return Augmentation(**(nothing | changes))  # type: ignore[arg-type]  # a mixed dict


@pytest.mark.parametrize("position", range(20))
def test_boxes_move_as_pixels_do(position: int) -> None:
    box = (48, 60, 78, 96)
    augmentation = draw(
        WILD.model_copy(update={"gain": 0.0, "bias": 0.0}), seed=1, epoch=0, position=position
    )
    moved = augmentation.boxes(torch.tensor([box], dtype=torch.float32), SIZE)[0]
    found = bounds(augmentation.image(square(box), "sm"))
    assert found == pytest.approx(moved.tolist(), abs=1.6)


def test_both_images_of_a_pair_move_alike() -> None:
    plain = AugmentConfig(gain=0.0, bias=0.0, rotation=20.0)
    augmentation = draw(plain, seed=0, epoch=0, position=3)
    image = square((30, 30, 60, 90))
    assert torch.equal(augmentation.image(image, "sm"), augmentation.image(image, "ffdm"))


def test_grey_differs_between_the_images_of_a_pair() -> None:
    augmentation = draw(AugmentConfig(), seed=0, epoch=0, position=3)
    assert augmentation.grey["sm"] != augmentation.grey["ffdm"]


def test_a_draw_depends_on_seed_epoch_and_position_only() -> None:
    keys = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
    draws = [draw(WILD, seed=s, epoch=e, position=p) for s, e, p in keys]
    assert draws[0] == draw(WILD, seed=0, epoch=0, position=0)
    assert len({drawn.rotation for drawn in draws}) == len(keys)


def test_draws_stay_within_their_limits_and_use_them() -> None:
    draws = [draw(WILD, seed=0, epoch=0, position=p) for p in range(500)]
    for found, limit in (
        ([d.rotation for d in draws], 20.0),
        ([d.scale - 1 for d in draws], 0.2),
        ([d.shift[0] for d in draws], 0.1),
        ([d.grey["sm"][0] - 1 for d in draws], 0.1),
    ):
        assert max(map(abs, found)) <= limit
        assert max(found) > 0.9 * limit
        assert min(found) < -0.9 * limit
    assert np.mean([d.flip_vertical for d in draws]) == pytest.approx(0.5, abs=0.07)


def test_by_default_breasts_stay_on_the_left() -> None:
    assert not any(
        draw(AugmentConfig(), seed=0, epoch=0, position=p).flip_horizontal for p in range(200)
    )


def test_doing_nothing_changes_nothing() -> None:
    image = torch.randn(1, *SIZE).expand(3, -1, -1)
    assert torch.allclose(still().image(image, "sm"), image, atol=1e-3)


def test_what_comes_in_from_outside_is_black() -> None:
    image = square((0, 0, 128, 160)) - 2.0
    image = image.clone()
    image[:, 0, 0] = -3.0  # black
    moved = still(shift=(0.25, 0.0)).image(image, "sm")
    assert torch.allclose(moved[:, :, :30], torch.tensor(-3.0))


def test_a_box_is_not_clipped_at_the_edge() -> None:
    moved = still(shift=(-0.5, 0.0)).boxes(torch.tensor([[10.0, 10, 40, 40]]), SIZE)
    assert moved[0].tolist() == pytest.approx([-54, 10, -24, 40])


def test_no_boxes_stay_no_boxes() -> None:
    assert still(rotation=3.0).boxes(torch.zeros(0, 4), SIZE).shape == (0, 4)
