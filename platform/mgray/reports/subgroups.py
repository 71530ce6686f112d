"""One model by density, view, vendor, site and age of the images, type and size of the lesions."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from mgray.metrics.config import Interpolation
from mgray.metrics.subgroups import AGES, SIZES_MM, UNKNOWN, band, by_images, by_lesions
from mgray.reports.cases import Cases, image_scores, lesions

IMAGE_AXES: Final = {
    "view": "view",
    "vendor": "manufacturer",
    "site": "dataset",
}
TITLES: Final = {
    "density": "Breast density",
    "view": "View",
    "vendor": "Vendor",
    "site": "Site",
    "age": "Age",
    "lesion_type": "Lesion type",
    "lesion_size": "Lesion size, longest side",
}
Row = Mapping[str, Any]
Table = dict[str, dict[str, dict[str, Any]]]


def subgroup_tables(
    cases: Cases, model: str, threshold: float, how: Interpolation = "trapezoid"
) -> Table:
    """Rows of each axis on which anything is known.

    Args:
        cases: A split.
        model: Whose marks.
        threshold: Its operating threshold, the same in all groups.
        how: Of FAUC-1, between operating points.
    """
    rows, outcomes = cases.rows[cases.kinds[model]], cases.outcomes[model]
    scores = image_scores(cases, model)
    groups = {"density": [pair.density for pair in cases.pairs]}
    groups |= {axis: [row[column] for row in rows] for axis, column in IMAGE_AXES.items()}
    groups["age"] = [band(age, AGES, "years") for age in _ages(cases)]
    drawn = [(lesion, row) for row in rows for lesion in lesions(row)]
    own = {
        "lesion_type": [_type(lesion) for lesion, _ in drawn],
        "lesion_size": [band(_size_mm(lesion, row), SIZES_MM, "mm") for lesion, row in drawn],
    }
    made: dict[str, Mapping[str, Any]] = {
        axis: by_images(names, outcomes, scores, threshold, how) for axis, names in groups.items()
    }
    made |= {axis: by_lesions(names, outcomes, threshold) for axis, names in own.items()}
    return {
        axis: {name: asdict(group) for name, group in table.items()}
        for axis, table in made.items()
        if set(table) - {UNKNOWN}
    }


def _ages(cases: Cases) -> list[float | None]:
    """Of each pair, from the image that names one."""
    pairs = zip(cases.rows["ffdm"], cases.rows["sm"], strict=True)
    return [sm["age"] if ffdm["age"] is None else ffdm["age"] for ffdm, sm in pairs]


def _type(lesion: Row) -> str | None:
    return " + ".join(sorted(lesion["categories"] or ())) or None


def _size_mm(lesion: Row, row: Row) -> float | None:
    spacing = row["imager_pixel_spacing_mm"]
    if not spacing:
        return None
    x0, y0, x1, y1 = lesion["coords"]
    return float(max((x1 - x0) * spacing[-1], (y1 - y0) * spacing[0]))
