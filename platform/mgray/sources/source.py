"""What a source gives: a catalog, the files of an archive with the labels a table knows.

A source reads tables and lists files; it never opens an image. Labels are keyed by path where the
table names files, and by SOP instance UID where it names objects: the second kind is joined after
decoding, so a copied or renamed file keeps its labels. What only pixels can settle is left to the
ingest, by five joints:

* an annotation's ``source_frame`` names the frame of its coordinates, see ``sources.frames``;
* an annotation's ``of_size``, rows and columns, is that of the image that it was drawn on;
* an annotation's ``by_side`` maps the sides of the lesions that it is linked to, L and R, to what
  they say of it: of the image's own side alone;
* an annotation's ``mask_files`` stand for a box: the candidates, one of which is its mask;
* the label ``raster`` tells how to read a file that is no DICOM, see ``dicom.raster``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

LABELS: Final = frozenset(
    {
        "patient_id",
        "exam_id",
        "laterality",
        "view",
        "image_kind",
        "split_official",
        "birads",
        "pathology",
        "cancer",
        "label_source",
        "label_level",
        "density",
        "age",
        "annotations",
        "licence_tag",
        "extra_json",
        "split",
        "by_side",
        "pair_group",
        "qc_flags",
        "pixel_padding_value",
        "raster",
        "mirrored",
        "source_frame",
        "exam_order",
        "outcome_time_days",
    }
)
"""Most are columns of ``schema.IMAGE``. ``split`` wins over ``split_official`` where the official
one leaks; ``by_side`` maps L and R to further labels, for tables that know a file's patient but not
its side; ``pixel_padding_value`` is used where the header gives none; ``pair_group`` parts images
of one breast and view that are pairs among themselves; ``mirrored`` says that images are stored
against the convention that a left breast faces right; ``source_frame`` is that of the table's
coordinates, where it tells also of images without any whether they are turned."""
NAMING: Final = frozenset({"patient_id", "exam_id", "split"})
"""Labels that a path may tell, or its patient; an image that has no others the tables lack."""


@dataclass(frozen=True)
class CatalogRow:
    """One file of the archive.

    Args:
        path: Below the archive's root, with forward slashes.
        labels: Keys of ``LABELS``, plain data; ids are raw. An annotation is a dict of
            ``schema.ANNOTATION``, with the joints above.
    """

    path: str
    labels: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Notice:
    """One kind of thing a person should know about the table; holds no patient data.

    Args:
        code: A word for programs, e.g. ``box_outside_image``.
        count: How often it was seen.
        text: What it means and what was done.
        ids: Pseudonyms of the first few, for looking them up.
    """

    code: str
    count: int
    text: str
    ids: tuple[str, ...] = ()


def count_notices(counts: Mapping[str, int], texts: Mapping[str, str]) -> list[Notice]:
    """Make a notice of every code that has a text; one that was never met is left out later."""
    return [Notice(code, counts.get(code, 0), text) for code, text in texts.items()]


@dataclass(frozen=True)
class Catalog:
    """All files of an archive and their labels.

    Args:
        rows: One per file, no path twice: a list, or ``spool.Rows`` where there may be millions.
        by_uid: Labels by raw SOP instance UID; they win over those by path.
        notices: What the tables lack.
        described: The tables describe every image, so one they lack is a fault of the archive.
    """

    rows: Sequence[CatalogRow]
    by_uid: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)
    described: bool = False


@dataclass(frozen=True)
class Description:
    """What a person should know before getting a dataset; plain words.

    Args:
        title: Full name.
        kind: Kinds of image and container.
        size: Patients, exams, images, bytes.
        labels: Axes, level and basis.
        boxes: Boxes or contours, and on which images.
        pairs: FFDM with synthetic 2D.
        obtain: Where and how.
        layout: Of the archive folder as its host delivers it, a line for each thing.
        pitfalls: What goes wrong without care, and what is done here.
        unsettled: What nobody could verify yet, and what happens then.
    """

    title: str
    kind: str
    size: str
    labels: str
    boxes: str
    pairs: str
    obtain: str
    layout: tuple[str, ...]
    pitfalls: tuple[str, ...] = ()
    unsettled: tuple[str, ...] = ()


@dataclass(frozen=True)
class Count:
    """One number beside what lies in an archive.

    Args:
        what: Counted thing.
        expected: In the whole release; ``None`` if nobody published it.
        found: Here; less is a partial download, which is fine.
        of_release: ``expected`` is of the pinned release, not counted in the archive's own lists.
    """

    what: str
    expected: int | None
    found: int
    of_release: bool = True


@runtime_checkable
class Source(Protocol):
    """A kind of archive."""

    @property
    def name(self) -> str:
        """The dataset's name; it prefixes every ``image_id``."""

    @property
    def licence_tag(self) -> str:
        """Licence of rows whose table names none."""

    @property
    def adapter_version(self) -> str:
        """Raised when the same archive would give other rows."""

    def catalog(self, archive: Path) -> Catalog:
        """List the archive.

        Raises:
            NotFoundError: The folder or its table is missing.
            ConfigError: A column or cell that cannot be understood.
        """

    def describe(self) -> Description:
        """Tell what the dataset is."""

    def verify(self, archive: Path) -> list[Count]:
        """Count the archive against the pinned release.

        Raises:
            NotFoundError: The folder or its table is missing.
            ConfigError: A column or cell that cannot be understood.
        """
