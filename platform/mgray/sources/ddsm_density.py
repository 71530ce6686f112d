"""DDSM's digitisers: which one scanned a case, and the optical density of its grey levels.

References:
    github.com/fjeg/ddsm_tools, whose mappings are those of DDSM's calibration page.
"""

from collections.abc import Mapping
from typing import Final

LINEAR: Final[Mapping[str, tuple[float, float]]] = {
    "howtek_mgh": (-0.00094568, 3.789),
    "lumisys": (-1 / 1009.01, 4096.99 / 1009.01),
    "howtek_ismd": (-0.00099055807612, 3.96604),
}
"""Digitiser to slope and intercept of optical density over grey level."""
LOGARITHMIC: Final[Mapping[str, tuple[float, float, float, float]]] = {
    "dba": (-1 / 1.07553, 4.80662 / 1.07553, 0.05, 3.0),
}
"""Digitiser to slope and intercept of optical density over log10(grey level + 1), and its range."""


def digitiser_of(case: str, words: str) -> str | None:
    """Tell the digitiser: by the case's first letter, for MGH's (A) by the .ics; else ``None``."""
    letter = case[:1].upper()
    if letter in ("B", "C"):
        return "lumisys"
    if letter == "D":
        return "howtek_ismd"
    named = {"DBA": "dba", "HOWTEK": "howtek_mgh"} if letter == "A" else {}
    return next((found for word, found in named.items() if word in words.upper()), None)
