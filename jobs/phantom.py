"""Make an archive of virtual mammography exams as real DICOM, with truth.

Example: python -m jobs.phantom out=archive exams=24 seed=1 finding_share=0.8

Per exam four views (L/R, CC/MLO), each as FFDM and as synthetic 2D of the same virtual breast.
Run the same command again to continue an interrupted archive; a larger ``exams`` adds to it, a
smaller one removes the surplus.
"""

from mgray.cli import main
from mgray.phantom.config import PhantomConfig


def run(config: PhantomConfig) -> None:
    """Make what is missing."""
    from mgray.phantom.archive import write_archive

    write_archive(config)


if __name__ == "__main__":
    main(__doc__, PhantomConfig, run, "out")
