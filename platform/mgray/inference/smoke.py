"""Whether a model can be served: it is asked about one reference image, twice."""

import math
from typing import Final

import numpy as np
import torch

from mgray.dicom.example import example_file
from mgray.dicom.record import read_record
from mgray.errors import DataError
from mgray.inference.predictor import Detection, Predictor

ROWS, COLUMNS = 640, 480
_SYNTHETIC: Final = ["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "GENERATED_2D"]


def reference_image() -> bytes:
    """Make a synthetic 2D image as DICOM, the same bytes everywhere: a breast of noise, no patient.

    It tells a model that answers from one that does not; it says nothing about accuracy.
    """
    y, x = np.mgrid[:ROWS, :COLUMNS]
    breast = (x / 300) ** 2 + ((y - ROWS / 2) / 260) ** 2 < 1
    tissue = np.random.default_rng(0).integers(400, 800, (ROWS // 8, COLUMNS // 8))
    stored = np.where(breast, np.kron(tissue, np.ones((8, 8), int)), 0).astype(np.uint16)
    return example_file(
        stored,
        "j2k",
        bits_stored=10,
        ImageType=_SYNTHETIC,
        ImagerPixelSpacing=[0.1, 0.1],
        PatientID="reference",
    )


def smoke_test(predictor: Predictor) -> list[Detection]:
    """Ask a model about the reference image, and return its answer.

    Raises:
        DataError: Weights that are not finite, an answer that is none, or one that changes.
    """
    if not all(torch.isfinite(weight).all() for weight in predictor.model.state_dict().values()):
        raise DataError("the model has weights that are no numbers: train or export it again")
    columns = read_record(reference_image()).columns
    case = {str(kind): columns for kind in predictor.meta.inputs}
    (first,), (second,) = predictor.predict([case]), predictor.predict([case])
    if first != second:
        raise DataError("the model answers one image differently when asked again")
    if not all(map(_is_plausible, first)):
        raise DataError("the model answers with boxes outside the image or scores that are none")
    return first


def _is_plausible(found: Detection) -> bool:
    x0, y0, x1, y1 = found.box
    inside = 0 <= x0 < x1 <= COLUMNS and 0 <= y0 < y1 <= ROWS
    return inside and math.isfinite(found.score) and 0 <= found.score <= 1
