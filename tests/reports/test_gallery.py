import base64
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mgray.data.table import ImageTable
from mgray.metrics.outcomes import ImageMarks
from mgray.reports.cases import Cases, build_cases
from mgray.reports.gallery import Gallery, build_galleries, caption, jpeg_uri, side_svg
from mgray.reports.predictions import collect_predictions
from mgray.reports.summary import thresholds

NONE = np.zeros((0, 4))


@pytest.fixture
def galleries(world: object) -> list[Gallery]:
    return build(world, seed=0)


def build(world: object, seed: int) -> list[Gallery]:
    predictions = collect_predictions(world.config, world.predict)
    table = ImageTable.open(world.config.data)

    def cases(split: str) -> Cases:
        return build_cases(table, predictions, split, world.config.hit)

    limits = thresholds(cases("val"), world.config)
    return build_galleries(table, cases("test"), limits, 2, seed)


def test_there_is_a_gallery_for_each_bucket_and_for_positives(galleries: list[Gallery]) -> None:
    assert [(g.title, g.count, len(g.pictures)) for g in galleries] == [
        ("Missed in FFDM only", 1, 1),
        ("Missed in SM only", 2, 2),
        ("False detection in FFDM only", 1, 1),
        ("False detection in SM only", 1, 1),
        ("Positive pairs at random", 6, 2),
    ]


def test_the_pictures_depend_on_the_seed_only(world: object, galleries: list[Gallery]) -> None:
    assert build(world, seed=0) == galleries


def test_missed_findings_are_red_without_a_green_box(galleries: list[Gallery]) -> None:
    ffdm, sm = galleries[0].pictures[0].sides
    assert (ffdm.count('class="truth"'), ffdm.count("mark-ffdm")) == (1, 0)
    assert sm.count('class="mark mark-sm"') == 1
    assert sm.count('class="mark mark-fused"') == 1


def test_marks_below_the_threshold_are_not_drawn(galleries: list[Gallery]) -> None:
    assert not any(">.10<" in side for g in galleries for p in g.pictures for side in p.sides)


def test_boxes_are_drawn_in_the_dicom_frame() -> None:
    record = {"rows": 96, "columns": 80, "pixels": None}
    marks = ImageMarks(NONE, np.array([[1.0, 2, 11, 22]]), np.array([0.25]))
    svg = side_svg({**record, **read_black()}, np.array([[20.0, 30, 40, 50]]), {"sm": marks})
    assert 'viewBox="0 0 80 96"' in svg
    assert 'x="20.0" y="30.0" width="20.0" height="20.0"' in svg
    assert 'x="1.0" y="2.0" width="10.0" height="20.0"' in svg
    assert ">.25</text>" in svg


def read_black() -> dict[str, object]:
    from mgray.dicom.codecs import encode_htj2k
    from mgray.schema import IMAGE

    known = {
        "rows": 96, "columns": 80, "bits_stored": 12, "bits_allocated": 16, "pixel_offset": 0,
        "pixel_representation": 0, "pixel_reduce": 0, "photometric_interpretation": "MONOCHROME2",
    }  # fmt: skip
    black = encode_htj2k(np.zeros((96, 80), np.int32))
    return dict.fromkeys(IMAGE.names) | known | {"pixels": black}


def test_a_picture_is_a_small_grey_jpeg() -> None:
    uri = jpeg_uri(np.full((50, 40), 0.5, np.float32), 0.8)
    image = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
    assert (image.format, image.mode, image.size) == ("JPEG", "L", (336, 420))


def test_a_caption_says_density_type_and_where_a_finding_shows() -> None:
    finding = {
        "finding_id": "f", "pathology": "malignant", "shape": "box", "visible": True,
        "categories": ["spiculated_mass"],
    }  # fmt: skip
    other = {"annotations": [{**finding, "visible": False}]}
    words = caption({"annotations": [finding]}, other, "c")
    assert words == "density c · spiculated mass, visible in FFDM only"


def test_a_caption_of_nothing_known_is_empty() -> None:
    assert caption({"annotations": []}, {"annotations": []}, None) == ""


def test_another_seed_may_draw_other_positives(world: object) -> None:
    first = [build(world, seed)[-1].pictures for seed in range(4)]
    assert any(pictures != first[0] for pictures in first[1:])


def test_a_score_at_the_top_edge_stays_inside() -> None:
    marks = ImageMarks(NONE, np.array([[1.0, 0, 11, 22]]), np.array([0.5]))
    svg = side_svg(read_black(), NONE, {"sm": marks})
    assert 'y="3.0" font-size="3">.50</text>' in svg


def test_fused_scores_stand_below_their_box() -> None:
    marks = ImageMarks(NONE, np.array([[1.0, 10, 11, 22]]), np.array([1.0]))
    svg = side_svg(read_black(), NONE, {"fused": marks})
    assert 'y="25.0" font-size="3">1.00</text>' in svg


def test_a_finding_that_is_drawn_on_one_image_is_shown_on_both(
    world: object, drawn_on_ffdm: Path
) -> None:
    config = world.config.model_copy(update={"data": drawn_on_ffdm})
    *_, positives = build(replace(world, config=config), seed=0)
    for picture in positives.pictures:
        assert [side.count('class="truth"') for side in picture.sides] == [1, 1]
