"""What an ingest is told."""

from pathlib import Path

from pydantic import Field, field_validator

from mgray.config import Config
from mgray.dicom.croppers import CropperName
from mgray.dicom.limits import Limits
from mgray.dicom.record import Volumes
from mgray.errors import REJECT_REASONS
from mgray.sources.registry import SourceName


class IngestConfig(Config):
    """One archive into one table."""

    source: SourceName
    """Kind of archive: a public dataset as its host delivers it, listed by python -m jobs.sources;
    phantom (made by jobs.phantom), csv (your own, with a table), samples (eight real mammograms,
    copied into the archive folder first)."""
    archive: Path
    """Folder that holds the DICOM files."""
    out: Path
    """Folder of the table; a second run continues and adds what is new."""
    csv: Path | None = None
    """Table of the source csv; archive/catalog.csv if not given."""
    ljpeg_decoder: Path | None = None
    """Program that decodes the lossless JPEG of the source ddsm, by path or name: the Stanford
    decoder, called as jpeg -d -s FILE; without it only files that you decoded are read."""
    workers: int | None = Field(default=None, ge=1)
    """Decoding processes; all processors of the cluster if not given."""
    max_rejected: int | None = Field(default=None, ge=0)
    """Exit code 3 if more files than this are refused; no bound if not given."""
    dry_run: bool = False
    """Read headers only, tell what an ingest would do, write nothing; --dry-run says the same."""
    may_shrink: bool = False
    """Go on although most files of the table are no longer in the archive, and drop their rows;
    else that is an error: an archive that is not mounted, or another key of pseudonyms, looks
    so."""
    retry: tuple[str, ...] = ()
    """Reasons whose files are tried once more, e.g. retry=[timeout,decoder_died] after a machine
    was in trouble, or retry=[unsupported_syntax] after a codec was installed."""
    private_paths: bool = False
    """Also write private/paths.parquet, readable by you alone: which pseudonym is which file."""
    split_seed: int = 0
    """Divides patients into train, val and test; another seed ingests everything again."""
    images_per_shard: int = Field(default=16, ge=1)
    """Files that one task decodes into one shard."""
    volumes: Volumes = "refuse"
    """Tomosynthesis volumes: refused, or mip: one row of their maximum intensity projection, marked
    in qc_flags."""
    blank_outside_breast: bool = False
    """Blank what lies beyond a margin around the breast, where text may be burned in; the breast is
    left as it is. An image without a breast is refused. Another value ingests all again."""
    cropper: CropperName = "p1"
    """The paper whose rule tells where the breast is: breast_box and pixels_face come from it. The
    model's preprocess.cropper must be the same. Another value ingests all again."""
    resolution: int | None = Field(default=None, ge=32)
    """Store of each image only the smallest wavelet level whose long side has this many pixels or
    more; full size if not given. A network that needs more is refused. Boxes, sizes and spacings
    stay those of the full image. Another value ingests all again."""
    limits: Limits = Limits()
    """What one file may cost."""

    @field_validator("retry")
    @classmethod
    def _known(cls, reasons: tuple[str, ...]) -> tuple[str, ...]:
        for reason in reasons:
            if reason not in REJECT_REASONS:
                raise ValueError(f"{reason} is no reason: expected of {', '.join(REJECT_REASONS)}")
        return reasons
