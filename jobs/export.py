"""Write what was made here so that others can use it, unless a licence of its data forbids that.

    python -m jobs.export MODEL out=DIR                 a copy of a model folder
    python -m jobs.export TABLE out=DIR                 PNG files and exam list for NYU's networks
    python -m jobs.export MODEL out=DIR allow=[EMBED]

The last says by name that the licence's owner gave permission.

Keys:
"""

from pathlib import Path

from mgray.cli import main
from mgray.config import Config


class ExportConfig(Config):
    """What, and where to."""

    source: Path
    """Model folder of a run, or image table."""
    out: Path
    """New folder."""
    allow: tuple[str, ...] = ()
    """Licence tags whose owner permitted to hand on the data, or weights trained on them."""


def run(config: ExportConfig) -> None:
    """Write, or refuse."""
    if (config.source / "manifest.json").is_file():
        from mgray.recipes.nyu_export import export_exam_list

        exams = export_exam_list(config.source, config.out, config.allow)
        print(f"{exams} exams exported to {config.out}")
        return
    from mgray.models.folder import export_model

    export_model(config.source, config.out, config.allow)
    print(f"exported to {config.out}")


if __name__ == "__main__":
    main(__doc__, ExportConfig, run, "source")
