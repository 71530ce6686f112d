"""What the experiment with a known answer is told. Imports no Torch."""

import difflib
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, PositiveInt, field_validator

from mgray.config import Config
from mgray.metrics.config import BootstrapConfig, HitConfig
from mgray.recipes.arms import ARMS, CONTROLS, FULL

MASSES: Final = {
    "finding_share": 0.6,
    "malignant_share": 1.0,
    "contrast": 3.0,
    "lesions.fine_calcifications": 0.0,
    "lesions.coarse_calcifications": 0.0,
    "lesions.spiculated_mass": 0.0,
    "visibility.both": 0.3,
    "visibility.ffdm_only": 0.55,
    "visibility.sm_only": 0.1,
    "visibility.neither": 0.05,
}
"""Irregular masses of three times the physical contrast, since the nets are small. Half of them
show in FFDM only: what the method could give."""
PHANTOMS: Final[dict[str, dict[str, Any]]] = {
    "fusion.tiny": {
        **MASSES, "exams": 800, "height": 288, "width": 240, "pixel_mm": 0.5,
        "synthetic_scale": 1.0, "transfer_syntax": "explicit",
    },
    "fusion.phantom": {
        **MASSES, "exams": 4000, "height": 512, "width": 416, "pixel_mm": 0.28,
        "synthetic_scale": 0.6, "transfer_syntax": "htj2k",
    },
}  # fmt: skip

Dose = Annotated[float, Field(ge=0, le=1)]


class ExperimentConfig(Config):
    """Phantoms, runs of several seeds and arms, and what came of them."""

    recipe: Literal["fusion.tiny", "fusion.phantom"]
    """fusion.tiny for CPU hours, fusion.phantom for one GPU."""
    out: Path = Path("runs/experiment")
    """Folder of phantoms, runs and report; a second run reuses all that is finished."""
    seeds: PositiveInt = 3
    """Training seeds; each also chooses the patients with boxes."""
    first_seed: int = Field(default=1, ge=0)
    """Number of the first; the others follow."""
    arms: tuple[str, ...] = CONTROLS
    """Controls and ablations beside the full method, as listed under Arms."""
    trace: float = Field(default=-0.5, ge=-1, le=1)
    """Part of the contrast of an FFDM-only finding that enters the tomosynthesis; below 0 it is a
    shadow, which looks unlike any finding that shows."""
    doses: tuple[Dose, ...] = ()
    """Shares below 1 of the FFDM-only findings that leave a trace at all, for the dose-response:
    the full method without controls on each, e.g. doses=[0.0,0.5]."""
    exams: PositiveInt | None = None
    """Virtual exams, four pairs each; the recipe's own number if not given."""
    archive_seed: int = 1
    """Of the phantoms and of their division into train, val and test."""
    processes: PositiveInt = 2
    """Runs trained at once."""
    split: Literal["test", "val"] = "test"
    """Split that is measured. val while anything is still being chosen; test once, at the end."""
    train: tuple[str, ...] = ()
    """Changes to the recipe, e.g. train=[batches.boxed_share=0.2]."""
    phantom: tuple[str, ...] = ()
    """Changes to the phantoms, e.g. phantom=[contrast=2.0]."""
    hit: HitConfig = HitConfig(min_radius_mm=7.0)
    bootstrap: BootstrapConfig = BootstrapConfig()

    @field_validator("phantom")
    @classmethod
    def _no_dose(cls, changes: tuple[str, ...]) -> tuple[str, ...]:
        if any(change.startswith("visibility.trace_share=") for change in changes):
            raise ValueError("visibility.trace_share is the dose: give doses=[...] instead")
        return changes

    @field_validator("bootstrap")
    @classmethod
    def _percentile(cls, config: BootstrapConfig) -> BootstrapConfig:
        if config.method != "percentile":
            raise ValueError(f"method={config.method}: intervals over seeds are percentile only")
        return config

    @field_validator("arms")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in ARMS:
                near = difflib.get_close_matches(name, ARMS, n=1, cutoff=0.0)
                raise ValueError(f"unknown arm {name!r}: did you mean {near[0]!r}?")
        return tuple(name for name in dict.fromkeys(names) if name != FULL)
