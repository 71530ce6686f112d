"""Configs of the metrics; light, so that an entry point may import it before it does any work."""

from typing import Final, Literal

from pydantic import Field

from mgray.config import Config

Profile = Literal["dbtex", "mammo_detr", "tsynth", "nndet", "p3"]
Interpolation = Literal["trapezoid", "exact_step", "dbtex_interp"]
MOST_CASES: Final = 5000
"""Of a printed table whose test set is not known: pairs of numbers are looked at one by one."""


class HitConfig(Config):
    """When a mark counts as a hit on a lesion."""

    profile: Profile = "dbtex"
    """Which published rule: dbtex, mammo_detr, tsynth, nndet or p3 (see mgray.metrics.hits)."""

    strict: bool = True
    """dbtex only: a distance equal to the radius misses (the paper); false: it hits (DBTex)."""

    min_radius_px: float = Field(default=100.0, ge=0)
    """Smallest radius of a lesion, pixels; 100 is 7 mm on a 4096x3328 FFDM of 70 um.

    Distance profiles only.
    """

    min_radius_mm: float | None = Field(default=None, ge=0)
    """Smallest radius in mm on the detector; replaces min_radius_px where the spacing is known."""

    min_iou: float | None = Field(default=None, gt=0, le=1)
    """Smallest overlap that hits, nndet and p3 only; null is theirs, 0.1 and 0.2."""

    net_scale: float = Field(default=1.0, gt=0)
    """Network pixels per dicom pixel; mammo_detr and tsynth count the radius in network pixels."""

    net_height: int = Field(default=2866, gt=0)
    """Height of the network input, pixels; mammo_detr scales the radius by net_height/2866."""


class FrocConfig(Config):
    """How the FROC curve becomes a number."""

    interpolation: Interpolation = "trapezoid"
    """Between operating points: trapezoid, exact_step or dbtex_interp (thresholds at hits)."""

    operating_fppi: float = Field(default=1.0, gt=0)
    """False positives per validation image at the operating threshold."""

    operating_images: Literal["all", "positive"] = "all"
    """Validation images that the operating threshold is read from."""


class BootstrapConfig(Config):
    """How sampling uncertainty is measured: patients are drawn, all their images with them."""

    replicates: int = Field(default=10_000, ge=0)
    """Number of resamples; 0 leaves the intervals out."""

    method: Literal["percentile", "bca"] = "percentile"
    """Kind of interval of areas and their differences; bca corrects them for bias and skew.

    The gap closed and the bands of curves are percentile either way.
    """

    seed: int = Field(default=0, ge=0)
    """Of the resamples; equal for all models, so that differences are paired."""
