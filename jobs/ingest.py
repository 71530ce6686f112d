"""Turn a DICOM archive into an image table: Parquet with lossless pixels, quarantine and manifest.

    python -m jobs.ingest phantom archive=DIR out=DIR
    python -m jobs.ingest csv archive=DIR out=DIR [csv=TABLE max_rejected=10]
    python -m jobs.ingest samples archive=DIR out=DIR
    python -m jobs.ingest embed archive=DIR out=DIR    and other public datasets: jobs.sources
    python -m jobs.ingest csv archive=DIR out=DIR --dry-run

The same command again continues, or adds what is new in the archive. --dry-run reads headers only,
writes nothing: it tells kinds, codecs, views, pairs, duplicates and what would be refused.

Keys:
"""

from mgray.cli import main
from mgray.ingest.config import IngestConfig


def run(config: IngestConfig) -> None:
    """Ingest; what was found is logged."""
    from mgray.ingest.pipeline import ingest

    ingest(config)


if __name__ == "__main__":
    main(__doc__, IngestConfig, run, "source")
