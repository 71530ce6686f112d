"""Image records to the network's input: what a worker without the model can already do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from mgray.data.transforms import Geometry, PreprocessConfig, prepare


@dataclass(frozen=True)
class Prepared:
    """One case, ready for the network.

    Args:
        planes: The standardised grey image of each input, by kind.
        geometry: Of the first input.
        rows: Height of the first input's dicom frame.
        columns: Its width.
    """

    planes: dict[str, Float[np.ndarray, "height width"]]
    geometry: Geometry
    rows: int
    columns: int


def prepare_case(
    case: Mapping[str, Mapping[str, Any]], inputs: Sequence[str], config: PreprocessConfig
) -> Prepared:
    """Make the network's input of one case.

    Args:
        case: A record under each of ``inputs``.
        inputs: Of the model: ``sm``, ``ffdm``; boxes will be in the frame of the first.
        config: The model's preprocessing.
    """
    images = {kind: prepare(case[kind], config) for kind in inputs}
    return Prepared(
        planes={kind: plane for kind, (plane, _) in images.items()},
        geometry=images[inputs[0]][1],
        rows=case[inputs[0]]["rows"],
        columns=case[inputs[0]]["columns"],
    )
