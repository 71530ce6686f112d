"""Write what was made here so that others can use it, unless a licence of its data forbids that.

    python -m jobs.export MODEL out=DIR                 a copy of a model folder
    python -m jobs.export TABLE out=DIR                 PNG files and exam list for NYU's networks
    python -m jobs.export MODEL out=DIR allow=[EMBED]

The last says by name that the licence's owner gave permission.

Keys:
"""

from mgray.cli import main
from mgray.recipes.export import ExportConfig


def run(config: ExportConfig) -> None:
    """Write, or refuse."""
    from mgray.recipes.export import export

    print(f"{config.out}: {export(config)}")


if __name__ == "__main__":
    main(__doc__, ExportConfig, run, "source")
