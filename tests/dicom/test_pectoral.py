import numpy as np
import pytest

from mgray.dicom.pectoral import corner_mask, pectoral_corner


def with_muscle(x: float, y: float, shape: tuple[int, int] = (900, 500)) -> np.ndarray:
    """A breast of grey 90 with a muscle of grey 190 beyond the line from (x, 0) to (0, y)."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    breast = np.hypot(rows - shape[0] * 0.55, columns) < shape[1] * 0.95
    image = np.where(breast, 90, 0)
    return np.where(columns / x + rows / y < 1, 190, image).astype(np.uint8)


@pytest.mark.parametrize(("x", "y"), [(200.0, 500.0), (150.0, 700.0), (320.0, 420.0)])
def test_the_edge_of_the_muscle_is_found(x: float, y: float) -> None:
    corner = pectoral_corner(with_muscle(x, y))
    assert corner == (pytest.approx(x, rel=0.05), pytest.approx(y, rel=0.05))


def test_the_edge_nearest_to_the_corner_counts() -> None:
    image = np.maximum(with_muscle(260.0, 650.0), (with_muscle(130.0, 325.0) > 150) * np.uint8(250))
    assert pectoral_corner(image) == (pytest.approx(130, rel=0.08), pytest.approx(325, rel=0.08))


@pytest.mark.parametrize("grey", [0, 120])
def test_an_image_without_edges_has_no_muscle(grey: int) -> None:
    assert pectoral_corner(np.full((300, 200), grey, np.uint8)) is None


def test_a_line_farther_off_than_p5_looks_is_no_muscle() -> None:
    image = np.full((1000, 900), 60, np.uint8)
    rows, columns = np.mgrid[:1000, :900]
    image[rows + columns < 750] = 200  # 530 pixels from the corner
    assert pectoral_corner(image) is None


def test_an_upright_or_level_line_is_no_muscle() -> None:
    image = np.full((800, 500), 60, np.uint8)
    image[:, :100] = 200
    assert pectoral_corner(image) is None
    assert pectoral_corner(np.ascontiguousarray(image.T)) is None


def test_the_corner_is_a_triangle() -> None:
    mask = corner_mask((40, 30), (20.0, 30.0))
    assert mask.sum() == pytest.approx(300, rel=0.02)
    assert mask[0, 0]
    assert not mask[0, 20]
    assert not mask[30, 0]
