"""List the datasets that can be ingested as their hosts deliver them.

    python -m jobs.sources                          all, in a few words
    python -m jobs.sources embed                    its page: layout, labels, licence, pitfalls
    python -m jobs.sources embed archive=DIR        counts against the pinned release
    python -m jobs.sources embed table=DIR out=PICTURE.png
    python -m jobs.sources all                      docs/sources.md

The last but one draws findings of an ingested table on their pixels: it shows the images.

Keys:
"""

from mgray.cli import main
from mgray.reports.findings import FindingsConfig


def run(config: FindingsConfig) -> None:
    """Print, compare or draw."""
    from mgray.ingest.run import without_values
    from mgray.sources.pages import comparison, document, overview, page
    from mgray.sources.registry import SOURCES

    if config.source is None:
        print(overview())
    elif config.source == "all":
        print(document(), end="")
    elif config.table is not None:
        from mgray.reports.findings import draw_table

        print(f"{draw_table(config)} images drawn in {config.out}")
    elif config.archive is not None:
        with without_values():
            print(comparison(config.source, SOURCES[config.source].verify(config.archive)))
    else:
        print(page(SOURCES[config.source]))


if __name__ == "__main__":
    main(__doc__, FindingsConfig, run, "source")
