"""DDSM's digitisers: which one scanned a case, and the optical density of its grey levels.

References:
    github.com/fjeg/ddsm_tools, whose mappings are those of DDSM's calibration page.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from jaxtyping import Float, Shaped

DBA: Final = "dba"
LINEAR: Final[Mapping[str, tuple[float, float]]] = {
    "howtek_mgh": (-0.00094568, 3.789),
    "lumisys": (-1 / 1009.01, 4096.99 / 1009.01),
    "howtek_ismd": (-0.00099055807612, 3.96604),
}
"""Digitiser to slope and intercept of optical density over grey level."""
OD_RANGE: Final = (0.05, 3.0)


def optical_density(
    grey: Shaped[np.ndarray, "*shape"], digitiser: str
) -> Float[np.ndarray, "*shape"]:
    """Map grey levels to optical density, 0.05 to 3.

    Args:
        grey: Grey levels of a decoded image.
        digitiser: A key of ``LINEAR``, or dba.
    """
    levels = grey.astype(np.float64)
    if digitiser == DBA:
        density = (np.log10(levels + 1) - 4.80662) / -1.07553
    else:
        slope, intercept = LINEAR[digitiser]
        density = slope * levels + intercept
    return np.clip(density, *OD_RANGE)


def digitiser_of(case: str, words: str) -> str | None:
    """Tell the digitiser: by the case's first letter, for MGH's (A) by the .ics; else ``None``."""
    letter = case[:1].upper()
    if letter in ("B", "C"):
        return "lumisys"
    if letter == "D":
        return "howtek_ismd"
    named = {"DBA": DBA, "HOWTEK": "howtek_mgh"} if letter == "A" else {}
    return next((found for word, found in named.items() if word in words.upper()), None)
