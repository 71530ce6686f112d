"""One small view that the projection tests share."""

import pytest

from mgray.phantom.geometry import Breast, Frame, Shape, build_shape, sample_breast
from mgray.phantom.tissue import Tissue, build_tissue


@pytest.fixture(scope="session")
def breast() -> Breast:
    return sample_breast((9, 4))


@pytest.fixture(scope="session")
def shape(breast: Breast) -> Shape:
    return build_shape(breast, "L", "CC", Frame(512, 416, 0.28))


@pytest.fixture(scope="session")
def tissue(breast: Breast, shape: Shape) -> Tissue:
    return build_tissue(breast, shape)
