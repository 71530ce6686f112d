"""What was made here, written so that others can use it, unless a licence of its data forbids."""

from pathlib import Path

from mgray.config import Config
from mgray.data.table import MANIFEST


class ExportConfig(Config):
    """What, and where to."""

    source: Path
    """Model folder of a run, or image table."""
    out: Path
    """New folder."""
    allow: tuple[str, ...] = ()
    """Licence tags whose owner permitted to hand on the data, or weights trained on them."""


def export(config: ExportConfig) -> str:
    """Copy a model folder, or write an image table as NYU's networks read it.

    Returns:
        What was written, in words.

    Raises:
        LicenceError: A licence forbids it and ``allow`` does not name it.
        MgrayError: As ``export_model`` and ``export_exam_list``.
    """
    if (config.source / MANIFEST).is_file():
        from mgray.recipes.nyu_export import export_exam_list

        exams = export_exam_list(config.source, config.out, config.allow)
        return f"{exams} exams, PNG files with an exam list for NYU's networks"
    from mgray.models.folder import export_model

    export_model(config.source, config.out, config.allow)
    return "a copy of the model folder"
