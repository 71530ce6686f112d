from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgray.config import fingerprint, load_yaml, save_yaml
from mgray.data.transforms import Geometry, PreprocessConfig, crop_box, locate, prepare
from mgray.dicom.breast import pack_mask
from mgray.dicom.croppers import CROPPERS, find_breast
from mgray.dicom.pixels import keep_resolution
from mgray.errors import DataError

NET = PreprocessConfig(net_height=128, net_width=96, fit="letterbox")
REAL = st.floats(-1e4, 1e4)


def boxes(*xyxy: tuple[float, ...]) -> np.ndarray:
    return np.array(xyxy, dtype=np.float64).reshape(-1, 4)


def bright_square(
    make_row: Any, box: tuple[int, int, int, int], shape: tuple[int, int] = (417, 330), **row: Any
) -> dict[str, Any]:
    stored = np.full(shape, 200)
    x0, y0, x1, y1 = box
    stored[y0:y1, x0:x1] = 3000
    return dict(make_row(stored, **row))


def weighted_box(image: np.ndarray) -> np.ndarray:
    """The box of a bright rectangle, with edges to parts of a pixel, from its mean and spread."""
    light = image.astype(np.float64) - np.median(image)
    light = np.where(light > 0.05 * light.max(), light, 0.0)
    edges = []
    for axis in (0, 1):
        profile = light.sum(axis=axis)
        centre = (profile * (np.arange(len(profile)) + 0.5)).sum() / profile.sum()
        side = profile.sum() / np.median(profile[profile > profile.max() / 2])
        edges.append((centre - side / 2, centre + side / 2))
    (x0, x1), (y0, y1) = edges
    return np.array([x0, y0, x1, y1])


@pytest.mark.parametrize("face", ["right", "left", "unknown"])
@pytest.mark.parametrize("fit", ["letterbox", "stretch"])
@pytest.mark.parametrize("size", [(256, 192), (128, 96), (192, 96), (64, 64), (40, 32)])
def test_a_bright_square_lands_in_its_mapped_box(
    make_row: Any, face: str, fit: str, size: tuple[int, int]
) -> None:
    box = (121, 160, 211, 252)
    record = bright_square(make_row, box, pixels_face=face, breast_box=[37, 25, 300, 401])
    config = PreprocessConfig.model_validate(
        {"net_height": size[0], "net_width": size[1], "fit": fit}
    )
    image, geometry = prepare(record, config)
    found, expected = weighted_box(image), geometry.boxes_to_net(boxes(box))[0]
    assert found == pytest.approx(expected, abs=0.35)  # of a net pixel
    centres = (found + np.roll(found, 2))[:2], (expected + np.roll(expected, 2))[:2]
    assert centres[0] / 2 == pytest.approx(centres[1] / 2, abs=0.12)


@settings(deadline=None)
@given(
    scale=st.tuples(st.floats(0.01, 10), st.floats(0.01, 10)),
    mirrored=st.booleans(),
    offset=st.tuples(REAL, REAL),
    corners=st.tuples(REAL, REAL, st.floats(0, 1e4), st.floats(0, 1e4)),
)
def test_boxes_survive_the_way_to_the_net_frame_and_back(
    scale: tuple[float, float],
    mirrored: bool,
    offset: tuple[float, float],
    corners: tuple[float, float, float, float],
) -> None:
    x, y, width, height = corners
    box = np.array([[x, y, x + width, y + height]])
    geometry = Geometry((-scale[0] if mirrored else scale[0], scale[1]), offset, (1, 1))
    there = geometry.boxes_to_net(box)
    assert (there[:, :2] <= there[:, 2:]).all()
    assert np.abs(geometry.boxes_to_dicom(there) - box).max() < 1e-6


@settings(deadline=None)
@given(
    height=st.integers(8, 90),
    width=st.integers(8, 90),
    crop=st.lists(st.integers(-5, 95), min_size=4, max_size=4),
    face=st.sampled_from(["left", "right", "unknown"]),
)
def test_any_image_and_breast_box_fill_the_net_frame(
    make_row: Any, height: int, width: int, crop: list[int], face: str
) -> None:
    stored = np.arange(height * width).reshape(height, width) % 4096
    image, geometry = prepare(make_row(stored, breast_box=crop, pixels_face=face), NET)
    assert image.shape == (128, 96)
    assert np.isfinite(image).all()
    assert np.isfinite(geometry.boxes_to_dicom(boxes((0, 0, 96, 128)))).all()


@pytest.fixture(scope="module", params=[(name, step) for name in CROPPERS for step in (1, -1)])
def cropped(request: pytest.FixtureRequest, make_row: Any) -> dict[str, Any]:
    """The row of a half disc whose box and side come from a cropper."""
    cropper, step = request.param
    y, x = np.mgrid[:417, :330]
    image = (3000.0 * (np.hypot(y - 190, x - 3) < 170)).astype(np.float32)[:, ::step]
    breast = find_breast(np.ascontiguousarray(image), cropper)
    assert breast is not None
    assert breast.face == ("right" if step == 1 else "left")
    seen = {"breast_box": breast.box(*image.shape), "breast_mask": pack_mask(breast.mask)}
    return dict(make_row(image, pixels_face=breast.face, **seen))


@settings(deadline=None)
@given(
    size=st.tuples(st.integers(32, 2048), st.integers(32, 2048)),
    fit=st.sampled_from(["letterbox", "stretch", "window"]),
    window=st.tuples(st.integers(1, 4096), st.integers(1, 4096)),
    margin_px=st.none() | st.floats(0, 400),
    box=st.lists(st.floats(-4096, 4096), min_size=4, max_size=4),
)
def test_boxes_of_every_cropper_map_both_ways(
    cropped: dict[str, Any],
    size: tuple[int, int],
    fit: str,
    window: tuple[int, int],
    margin_px: float | None,
    box: list[float],
) -> None:
    words = {"net_height": size[0], "net_width": size[1], "fit": fit, "margin_px": margin_px}
    windows = {cropped["image_kind"]: window}
    geometry = locate(cropped, PreprocessConfig.model_validate(words | {"windows": windows}))
    given_box = np.sort(boxes(*box).reshape(1, 2, 2), axis=1).reshape(1, 4)
    there = geometry.boxes_to_dicom(geometry.boxes_to_net(given_box))
    back = geometry.boxes_to_net(geometry.boxes_to_dicom(given_box))
    assert np.abs(np.concatenate([there, back]) - given_box).max() < 1e-9 * 4096


@settings(deadline=None)
@given(quarters=st.lists(st.integers(-(2**14), 2**14), min_size=4, max_size=4))
def test_crop_and_mirror_alone_map_boxes_exactly(
    cropped: dict[str, Any], quarters: list[int]
) -> None:
    x0, y0, x1, y1 = map(float, cropped["breast_box"])
    height, width = int(y1 - y0), int(x1 - x0)
    config = PreprocessConfig(net_height=height, net_width=width, margin=0.0)
    geometry = locate(cropped, config)
    scale, offset = (-1.0, x1) if cropped["pixels_face"] == "left" else (1.0, -x0)
    assert geometry == Geometry((scale, 1.0), (offset, -y0), (height, width))
    box = np.sort(np.array(quarters).reshape(1, 2, 2) / 4, axis=1).reshape(1, 4)
    np.testing.assert_array_equal(geometry.boxes_to_dicom(geometry.boxes_to_net(box)), box)
    np.testing.assert_array_equal(geometry.boxes_to_net(geometry.boxes_to_dicom(box)), box)


@settings(deadline=None)
@given(quarters=st.lists(st.integers(-(2**14), 2**14), min_size=4, max_size=4))
def test_a_window_of_the_net_s_size_maps_boxes_exactly(
    cropped: dict[str, Any], quarters: list[int]
) -> None:
    size = {"net_height": 256, "net_width": 128}
    windows = {cropped["image_kind"]: (256, 128)}
    geometry = locate(cropped, PreprocessConfig(**size, fit="window", windows=windows))
    assert np.abs(geometry.scale).tolist() == [1.0, 1.0]
    box = np.sort(np.array(quarters).reshape(1, 2, 2) / 4, axis=1).reshape(1, 4)
    np.testing.assert_array_equal(geometry.boxes_to_dicom(geometry.boxes_to_net(box)), box)
    np.testing.assert_array_equal(geometry.boxes_to_net(geometry.boxes_to_dicom(box)), box)


def test_a_window_larger_than_the_crop_is_black_beyond_it(make_row: Any) -> None:
    record = bright_square(make_row, (0, 100, 80, 200), breast_box=[0, 100, 80, 200])
    windows = {"synthetic_2d": (200, 160)}
    config = PreprocessConfig(
        net_height=200, net_width=160, fit="window", windows=windows, margin=0
    )
    image, geometry = prepare(record, config)
    assert geometry == Geometry((1.0, 1.0), (0.0, -50.0), (200, 160))
    assert (image[50:150, :80] > 0).all()
    assert (image[:, 80:] < 0).all()
    assert (image[:50] < 0).all()


def test_a_window_smaller_than_the_crop_lies_where_most_of_the_breast_is(make_row: Any) -> None:
    mask = np.zeros((64, 64), bool)
    mask[:1], mask[:, :1], mask[40:] = True, True, True
    row = make_row(np.zeros((640, 320)), breast_box=[0, 0, 320, 640], breast_mask=pack_mask(mask))
    windows = {"synthetic_2d": (240, 320)}
    config = PreprocessConfig(net_height=240, net_width=320, fit="window", windows=windows)
    assert locate(row, config).offset == (0.0, -400.0)


def test_a_kind_without_a_window_is_one_line(make_row: Any) -> None:
    with pytest.raises(DataError, match=r"^no window for images of the kind film: [^\n]*$"):
        locate(make_row(image_kind="film"), PreprocessConfig(fit="window"))


def test_a_margin_in_pixels_goes_before_the_share(make_row: Any) -> None:
    record = make_row(np.zeros((400, 300)), breast_box=[0, 100, 150, 300])
    config = PreprocessConfig(net_height=300, net_width=200, margin=0.5, margin_px=50)
    assert locate(record, config) == Geometry((1.0, 1.0), (0.0, -50.0), (300, 200))


def test_what_is_blanked_moves_nothing(make_row: Any) -> None:
    stored = np.full((417, 330), 100)  # less than 5 % of the maximum
    stored[40:300, 40:160] = 3000
    record = make_row(stored, view="MLO")
    plain, there = prepare(record, NET)
    changed = NET.model_copy(update={"outside": "black", "pectoral": "as_published"})
    image, here = prepare(record, changed)
    assert here == there
    assert not np.array_equal(image, plain)


def test_no_boxes_stay_no_boxes() -> None:
    geometry = Geometry((1.0, 1.0), (0.0, 0.0), (8, 8))
    assert geometry.boxes_to_net(boxes()).shape == geometry.boxes_to_dicom(boxes()).shape == (0, 4)


@pytest.mark.parametrize("face", ["left", "right"])
def test_every_breast_touches_the_left_edge(make_row: Any, face: str) -> None:
    breast = (0, 60, 120, 330) if face == "right" else (210, 60, 330, 330)
    record = bright_square(make_row, breast, pixels_face=face, breast_box=list(breast))
    image, _ = prepare(record, NET)
    assert (image[50:80, 0] > 0).all()
    assert (image[50:80, -1] < 0).all()


def test_a_mirrored_twin_gives_the_same_input(make_row: Any) -> None:
    stored = np.random.default_rng(0).integers(0, 4096, (256, 192))
    right, _ = prepare(make_row(stored, pixels_face="right"), NET)
    left, _ = prepare(make_row(np.fliplr(stored), pixels_face="left"), NET)
    assert right.mean() == pytest.approx(left.mean(), abs=1e-6)
    assert np.abs(right - left).mean() < right.std()  # the low-pass band samples even columns


@pytest.mark.parametrize("shape", [(1120, 280), (280, 1120), (700, 600), (200, 150)])
def test_no_row_is_skipped_where_one_axis_shrinks_and_the_other_grows(
    make_row: Any, shape: tuple[int, int]
) -> None:
    """A calcification of one pixel weighs the same wherever it lies."""
    config = PreprocessConfig(net_height=400, net_width=320, margin=0.0)
    height, width = shape
    for step in range(8):
        stored = np.zeros(shape, np.int32)
        stored[:, : width // 4] = 1000
        stored[height // 2 + step, width // 4 * 3 + step] = 4000
        net = prepare(make_row(stored, breast_box=[0, 0, width, height]), config)[0]
        grey = (net.astype(np.float64) - net[0, -1]) / (net[0, 0] - net[0, -1]) * 1000
        mass = grey[:, config.net_width // 2 :].sum() * height * width / grey.size
        assert mass == pytest.approx(4000, rel=0.02)


def test_letterbox_keeps_the_aspect(make_row: Any) -> None:
    _, geometry = prepare(make_row(np.zeros((400, 100))), NET)
    assert geometry.scale[0] == pytest.approx(geometry.scale[1], rel=0.02)


def test_stretch_maps_the_breast_box_onto_the_frame(make_row: Any) -> None:
    config = NET.model_copy(update={"fit": "stretch", "margin": 0.0})
    record = make_row(np.zeros((400, 300)), breast_box=[40, 80, 200, 320], pixels_face="left")
    _, geometry = prepare(record, config)
    assert geometry.boxes_to_net(boxes((40, 80, 200, 320)))[0] == pytest.approx(
        [0, 0, 96, 128], abs=0.61
    )


def test_the_margin_is_kept_inside_the_image(make_row: Any) -> None:
    record = make_row(np.zeros((400, 300)), breast_box=[0, 100, 150, 300])
    _, geometry = prepare(record, NET.model_copy(update={"margin": 0.1}))
    x0, y0, _, y1 = geometry.boxes_to_dicom(boxes((0, 0, 96, 128)))[0]
    assert (x0, y0, y1) == pytest.approx((0, 80, 320), abs=3)


def test_input_is_standardised(make_row: Any) -> None:
    stored = np.random.default_rng(0).integers(0, 4096, (300, 200))
    image, _ = prepare(make_row(stored), NET)
    assert float(image.mean()) == pytest.approx(0, abs=1e-5)
    assert float(image.std(dtype=np.float64)) == pytest.approx(1, abs=1e-5)


def test_a_flat_image_stays_finite(make_row: Any) -> None:
    image, _ = prepare(make_row(np.zeros((300, 225))), NET)
    assert (image == 0).all()


def test_equal_input_gives_equal_bits(make_row: Any) -> None:
    row = make_row(
        np.random.default_rng(0).integers(0, 4096, (417, 330)), breast_box=[9, 9, 99, 99]
    )
    assert np.array_equal(prepare(row, NET)[0], prepare(dict(row), NET)[0])


def test_no_more_pixels_are_decoded_than_the_network_sees(make_row: Any) -> None:
    """A wrong bound would blur: an edge stays an edge when a half-size decode is exact."""
    stored = np.zeros((512, 384))
    stored[:, 100:] = 4000
    image, _ = prepare(make_row(stored), PreprocessConfig(net_height=256, net_width=192))
    steps = (np.abs(np.diff(image[128])) > 0.02).sum()
    assert steps <= 3


def test_the_config_survives_saving(tmp_path: Any) -> None:
    save_yaml(NET, tmp_path / "c.yaml")
    assert fingerprint(load_yaml(PreprocessConfig, tmp_path / "c.yaml")) == fingerprint(NET)


def test_the_papers_fit_is_the_default() -> None:
    assert PreprocessConfig().fit == "stretch"


@pytest.mark.parametrize("fit", ["letterbox", "stretch"])
@pytest.mark.parametrize("shape", [(417, 330), (64, 48), (1001, 77)])
def test_an_image_is_located_without_its_pixels(
    make_row: Any, fit: str, shape: tuple[int, int]
) -> None:
    config = NET.model_copy(update={"fit": fit})
    row = make_row(np.zeros(shape), breast_box=[5, 9, 40, 60], pixels_face="left")
    assert locate(row | {"pixels": None}, config) == prepare(row, config)[1]


def test_both_images_of_a_pair_are_mirrored_though_one_does_not_show_its_chest_wall(
    make_row: Any,
) -> None:
    known = make_row(np.zeros((400, 300)), laterality="R", pixels_face="left")
    unknown = make_row(np.zeros((400, 300)), laterality="R", pixels_face="unknown")
    assert locate(known, NET) == locate(unknown, NET)


@pytest.mark.parametrize("long_side", [400, 200, 100])
def test_a_table_of_one_resolution_gives_the_same_input_and_boxes(
    make_row: Any, long_side: int
) -> None:
    stored = np.random.default_rng(0).integers(0, 4096, (417, 330))
    row = make_row(stored, breast_box=[0, 0, 330, 417], pixels_face="left")
    config = PreprocessConfig(net_height=100, net_width=80)
    image, geometry = prepare(keep_resolution(row, long_side), config)
    wanted, place = prepare(row, config)
    assert np.array_equal(image, wanted)
    assert geometry == place == locate(keep_resolution(row, long_side), config)


def test_a_table_cropped_by_another_rule_is_refused(make_row: Any) -> None:
    with pytest.raises(DataError, match="cropped as p4, the model's as p1"):
        prepare(make_row(cropper="p4"), PreprocessConfig(net_height=64, net_width=64))


def test_a_table_stored_too_small_is_refused(make_row: Any) -> None:
    with pytest.raises(DataError, match="lacks 6 wavelet levels"):
        prepare(make_row(pixel_reduce=6), PreprocessConfig())


@pytest.mark.parametrize("face", ["right", "left"])
@pytest.mark.parametrize("size", [(256, 192), (64, 64), (40, 32)])
def test_the_crop_box_is_what_lands_inside_the_net(
    make_row: Any, face: str, size: tuple[int, int]
) -> None:
    record = make_row(np.zeros((417, 330)), breast_box=[30, 60, 180, 360], pixels_face=face)
    config = PreprocessConfig(net_height=size[0], net_width=size[1], fit="stretch", margin=0.0)
    crop = np.array([crop_box(record, config)])
    (landed,) = locate(record, config).boxes_to_net(crop)
    assert landed == pytest.approx([0, 0, size[1], size[0]], abs=1e-6)
    assert crop[0] == pytest.approx([30, 60, 180, 360], abs=8)  # of a decode reduced eightfold


def test_the_crop_box_ends_with_the_image(make_row: Any) -> None:
    record = make_row(np.zeros((417, 330)), breast_box=[0, 0, 330, 417])
    x0, y0, x1, y1 = crop_box(record, NET)
    assert (x0, y0) >= (0, 0)
    assert (x1, y1) <= (330, 417)
