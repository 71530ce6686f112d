"""Copy a model folder to hand it on; refused where the licence of its training data forbids that.

    python -m jobs.export MODEL out=DIR
    python -m jobs.export MODEL out=DIR allow=[EMBED]

The second says by name that the licence's owner gave permission.

Keys:
"""

from pathlib import Path

from mgray.cli import main
from mgray.config import Config


class ExportConfig(Config):
    """Which model, and where to."""

    model: Path
    """Model folder of a run."""
    out: Path
    """New folder."""
    allow: tuple[str, ...] = ()
    """Licence tags whose owner permitted to hand on weights trained on the data."""


def run(config: ExportConfig) -> None:
    """Copy, or refuse."""
    from mgray.models.folder import export_model

    export_model(config.model, config.out, config.allow)
    print(f"exported to {config.out}")


if __name__ == "__main__":
    main(__doc__, ExportConfig, run, "model")
