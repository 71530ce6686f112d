"""What a phantom archive is made of; imports nothing heavy, so that ``--help`` is fast."""

from pathlib import Path
from typing import Literal

from pydantic import Field, PositiveInt, field_validator

from mgray.config import Config

TransferSyntax = Literal[
    "j2k", "htj2k", "jpeg_ls", "jpeg_lossless", "rle", "deflated", "explicit", "implicit"
]
LesionType = Literal[
    "spiculated_mass",
    "irregular_mass",
    "fine_calcifications",
    "oval_mass",
    "coarse_calcifications",
]


class Visibility(Config):
    """Where a finding's contrast enters the physics; relative shares, any positive sum."""

    both: float = Field(default=0.4, ge=0)
    """share of findings that show in FFDM and SM"""
    ffdm_only: float = Field(default=0.25, ge=0)
    """share of findings that are left out of the tomosynthesis acquisition, so SM lacks them"""
    sm_only: float = Field(default=0.25, ge=0)
    """share of findings that are left out of the FFDM exposure"""
    neither: float = Field(default=0.1, ge=0)
    """share of findings that are annotated and show in no image"""
    trace: float = Field(default=0.0, ge=-1, le=1)
    """part of an ffdm_only finding's contrast that enters the tomosynthesis acquisition all the
    same; below 0 it leaves a shadow, darker than the tissue, as reconstructions' undershoot does;
    the finding still counts as not showing in SM"""
    trace_share: float = Field(default=1.0, ge=0, le=1)
    """share of the ffdm_only findings that leave the trace; a larger share adds findings to it"""

    @property
    def shares(self) -> dict[str, float]:
        """What is drawn from."""
        return self.model_dump(include={"both", "ffdm_only", "sm_only", "neither"})


class LesionWeights(Config):
    """Relative weights of the lesion types; malignant and benign ones are drawn apart."""

    spiculated_mass: float = Field(default=1.0, ge=0)
    """malignant: dense core, spicules, tissue pulled inward"""
    irregular_mass: float = Field(default=1.0, ge=0)
    """malignant: lobed, blurred margin"""
    fine_calcifications: float = Field(default=1.0, ge=0)
    """malignant: cluster of 8-29 pleomorphic grains of 0.15-0.55 mm"""
    oval_mass: float = Field(default=1.0, ge=0)
    """benign: circumscribed"""
    coarse_calcifications: float = Field(default=1.0, ge=0)
    """benign: 3-11 round grains of 0.35-1.1 mm"""


class ExamConfig(Config):
    """Everything that decides an exam's pixels, besides its number."""

    seed: int = Field(default=0, ge=0)
    """exam i of seed s is always the same"""
    height: int = Field(default=1024, ge=256, multiple_of=16)
    """FFDM rows"""
    width: int = Field(default=832, ge=192, multiple_of=16)
    """FFDM columns"""
    pixel_mm: float = Field(default=0.14, ge=0.05, le=0.5)
    """FFDM pixel spacing; height x pixel_mm is the field, about 143 to 290 mm"""
    synthetic_scale: float = Field(default=0.6, ge=0.25, le=1)
    """SM size over FFDM size; 0.6 as real ones (2457 of 4096 rows), 1 for equal grids"""
    finding_share: float = Field(default=0.5, ge=0, le=1)
    """share of breasts with a finding"""
    malignant_share: float = Field(default=0.5, ge=0, le=1)
    """share of findings that are malignant"""
    contrast: float = Field(default=1.0, gt=0, le=4)
    """multiplies every lesion's attenuation difference; 1 is physical"""
    lesions: LesionWeights = LesionWeights()
    """relative weights of the lesion types"""
    visibility: Visibility = Visibility()
    """relative shares of where findings show"""

    @field_validator("visibility", "lesions")
    @classmethod
    def _drawable(cls, value: Visibility | LesionWeights) -> Visibility | LesionWeights:
        shares = value.shares if isinstance(value, Visibility) else value.model_dump()
        if sum(shares.values()) <= 0:
            raise ValueError("at least one share must be above 0")
        return value


class PhantomConfig(ExamConfig):
    """One archive: ``out/images/*.dcm``, ``out/annotations.csv``, ``out/exams.csv``."""

    out: Path
    """folder of the archive; made if missing, continued if begun with the same settings"""
    exams: PositiveInt
    """number of exams, one patient and four views each; a smaller one removes the surplus"""
    transfer_syntax: TransferSyntax = "j2k"
    """how pixels are coded; every one is lossless"""
    workers: PositiveInt = 2
    """processes; has no influence on the pixels"""
