"""EMBED, the Emory breast imaging dataset: FFDM with C-View of the same exam, boxes, pathology.

``metadata`` has a row for each image, ``clinical`` one for each finding of an exam; they meet in
exam and side. See ``embed_clinical`` for the labels.
"""

import posixpath
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mgray.collector import paused_collector
from mgray.sources.cells import FALSE, Cells
from mgray.sources.embed_boxes import NUMBER, levels_of, read_boxes
from mgray.sources.embed_clinical import COLUMNS as CLINICAL_COLUMNS
from mgray.sources.embed_clinical import Breast, Clinical, read_clinical
from mgray.sources.layout import files_below, find_file, spelled
from mgray.sources.pairing import Candidate, pair_by_time
from mgray.sources.source import Catalog, Count, Description, count_notices
from mgray.sources.spool import Rows, Spool
from mgray.sources.tables import Table, dumps, extra_json, open_table, read_id, without_nones

LAYOUT: Final = (
    "tables/EMBED_OpenData_metadata.csv (or _metadata_reduced.csv)",
    "tables/EMBED_OpenData_clinical.csv (or _clinical_reduced.csv)",
    "images/cohort_<n>/<empi_anon>/<StudyUID>/<SeriesUID>/<SOPUID>.dcm",
)
METADATA: Final = ("tables/EMBED_OpenData_metadata.csv", "tables/EMBED_OpenData_metadata*.csv")
CLINICAL: Final = ("tables/EMBED_OpenData_clinical.csv", "tables/EMBED_OpenData_clinical*.csv")
COLUMNS: Final = (
    "empi_anon",
    "acc_anon",
    "FinalImageType",
    "ImageLateralityFinal",
    "ViewPosition",
    "spot_mag",
    "anon_dicom_path",
    "num_roi",
    "ROI_coords",
)
KINDS: Final = {"2d": "ffdm", "cview": "synthetic_2d", "c-view": "synthetic_2d", "3d": "dbt"}
NORMAL_VIEW: Final = FALSE | {"nan"}
SIDES: Final = ("L", "R")
DRAWN: Final = ""
ASSUMED: Final = {
    "cancer": 0,
    "label_source": "assumed_normal",
    "label_level": "breast",
    "qc_flags": ["assumed_normal"],
}
SCREEN_SAVES: Final = frozenset({"roi_ssc", "roi_ss"})
PATIENT: Final = re.compile(r"images/cohort_\w+/([^/]+)/")
SERVER: Final = re.compile(r"cohort_\w+/.*")
MAPPED: Final = frozenset(COLUMNS) - {"num_roi"}
TEXTS: Final = {
    "files_not_here": "images of the metadata whose file is not here: a partial download",
    "rows_doubled": "rows of the metadata that name a file again: first one taken",
    "screen_saves": "screen saves with burned-in drawings: left out",
    "assumed_normal": "images of a breast that its exam's findings do not name: assumed normal",
    "assumed_but_drawn": "images of such a breast that boxes are drawn on, in any of its images: "
    "nothing is assumed, cancer stays empty",
    "asses_unknown": "findings whose asses is none of A, N, B, P, S, M, K, X: no BI-RADS",
    "kind_unknown": "images whose FinalImageType is none of 2D, cview, 3D: the header's kind is "
    "taken",
    "clinical_missing": "images whose exam the clinical table lacks: no labels",
    "exam_of_other_patient": "images whose acc_anon has findings of another empi_anon: those are "
    "left out, and with them findings without one",
    "dates_unread": "findings whose study_date_anon is no date (YYYY-MM-DD): nothing of a later "
    "exam is taken over to or from them",
    "biopsy_unsided": "images whose pathology is of a finding of both breasts, or of no side, "
    "with an empty bside: it counts for both breasts; that of a later exam only for those that a "
    "finding names, any other stays without a label",
    "files_not_named": "files that the metadata lack: kept without labels, of the patient whose "
    "folder holds them",
    "dup_view": "images of a breast and view that its exam has several of and that no pair takes: "
    "kept and flagged",
    "side_not_told": "images whose ImageLateralityFinal is not L or R: the header's side is taken, "
    "nothing of the clinical table",
    "levels_unclear": "images with boxes of several match levels that are not one for each box: "
    "levels left out",
    "boxes_miscounted": "images whose number of boxes is not num_roi, doubles not counted",
}
RELEASE: Final = "EMBED Open Data on AWS, cohorts 1-2"
DESCRIPTION: Final = Description(
    title="EMBED, Emory Breast Imaging Dataset (AWS Open Data, cohorts 1-2 of 10)",
    kind="FFDM and C-View, DICOM; Hologic 92 %, GE 6 %, Fuji 2 %; no tomosynthesis",
    size="22,382 patients, 76,373 exams, 480,323 images",
    labels="BI-RADS of findings; pathology (and cancer from it alone) after a biopsy; density",
    boxes="7,577 images with boxes of radiologists, on either kind",
    pairs="yes: the only real dataset with FFDM and synthetic 2D of one exam",
    obtain="register with Emory HITI (form), then AWS Open Data; "
    "github.com/Emory-HITI/EMBED_Open_Data",
    layout=LAYOUT,
    pitfalls=(
        "anon_dicom_path begins with a server's folder: replaced by images/",
        "acc_anon has 16 digits: ids stay text, one that a spreadsheet rounded is refused",
        "an acc_anon under two empi_anon: an image has the findings of its own empi_anon alone",
        "one exam has several findings: merged into one row for each image, none counted twice",
        "a finding of side B, or of no side, belongs to both breasts",
        "a bilateral exam lists only the breast with a finding: the other one is assumed normal, "
        "said in label_source and flagged assumed_normal, unless a later exam proves cancer there, "
        "or on a side that it does not tell (then it stays empty), or boxes are drawn on an image "
        "of it",
        "BI-RADS 0 is incomplete, not the lowest risk: the worst of a breast is "
        "6, 5, 4, 0, 3, 2, 1 in this order; X is none",
        "no biopsy is not benign: pathology and cancer stay empty",
        "the biopsy of a recalled screen hangs on a later exam: taken over from exams up to 180 "
        "days later (cancers after a negative screen: 365), label_source followup, flagged "
        "pathology_on_other_exam; it is of the breast, so boxes keep what their own finding says; "
        "a cancer so found wins over a benign or high-risk biopsy of the exam itself",
        "a biopsy is of the breast that bside names; a finding of both may be biopsied on one",
        "tissueden 5 is male, no density",
        "spot_mag is empty, nan or 0 for normal views: spot views never pair",
        "several images of one breast and view: paired by the closest series time, flagged "
        "paired_by_time; the rest is flagged dup_view, also where only one kind repeats, or "
        "ambiguous_pair where times do not tell",
        "boxes are y, x, y, x, nested by release: numbers are pulled in fours; doubles dropped",
        "boxes of match level 2 come from the other kind of image, noisier: said in their source",
        "a box is linked to a finding only where the breast has exactly one",
        "ROI_SSC and ROI_SS are screen saves: left out",
        "borderline lesions (path_severity 3) count as high_risk",
    ),
    unsettled=(
        "whether boxes are in the frame of the PNGs, mirrored so that the breast faces right: the "
        "hypothesis whose boxes lie in the breast is used (frame_hypothesis_mirrored), its "
        "conflict with the published flip rule is flagged (frame_against_rule); images that do not "
        "tell follow nine in ten of those that do, ten at least (frame_by_vote), else the rule "
        "(frame_undecided); the "
        "manifest has the votes",
    ),
)


@dataclass(frozen=True)
class EmbedSource:
    """EMBED as on AWS."""

    name: str = "embed"
    licence_tag: str = "EMBED"
    adapter_version: str = "6"

    def describe(self) -> Description:
        """Tell what the dataset is."""
        return DESCRIPTION

    @paused_collector()
    def catalog(self, archive: Path) -> Catalog:
        """Join both tables for the files that are here.

        Raises:
            NotFoundError: A table is missing.
            ConfigError: A column or cell that cannot be understood.
        """
        metadata, clinical = _tables(archive)
        seen = Seen()
        for path in files_below(archive, ["images"]):
            seen.files.add(path, _named(path))
            seen.counts["files_not_named"] += 1
        known = read_clinical(clinical)
        for cells in metadata:
            _image(cells, known, seen)
        _pair(seen)
        _assume(seen)
        for path in seen.screen_saves:
            seen.files.drop(path)
        seen.counts |= {"dates_unread": known.undated, "asses_unknown": known.unassessed}
        seen.counts["screen_saves"] = len(seen.screen_saves)
        notices = count_notices(seen.counts, TEXTS)
        return Catalog(Rows(seen.files, _joined), notices=notices, described=True)

    def verify(self, archive: Path) -> list[Count]:
        """Count both tables and the files.

        Raises:
            NotFoundError: A table is missing.
            ConfigError: A column that cannot be found.
        """
        metadata, clinical = _tables(archive)
        patients, exams, images, drawn = set[str](), set[str](), 0, 0
        for cells in metadata:
            patients.add(cells.text("empi_anon") or "")
            exams.add(cells.text("acc_anon") or "")
            images += 1
            drawn += bool(NUMBER.search(cells.text("ROI_coords") or ""))
        return [
            Count("patients in metadata", 22_382, len(patients)),
            Count("exams in metadata", 76_373, len(exams)),
            Count("images in metadata", 480_323, images),
            Count("images with boxes (number of the datathon release)", 7_577, drawn),
            Count("findings in clinical", 81_776, sum(1 for _ in clinical)),
            Count("files below images", 480_323, sum(1 for _ in files_below(archive, ["images"]))),
        ]


@dataclass
class Seen:
    """What was met.

    Args:
        files: Path to what it tells itself, then its labels, then changes by its pair.
        views: Key of a view to path, kind, time and number of each of its images.
        breasts: Exam and side to paths of images that its findings do not name, and to ``DRAWN``
            for each image with boxes, here or not.
        screen_saves: Paths.
        counts: Of things met.
    """

    files: Spool = field(default_factory=Spool)
    views: Spool = field(default_factory=Spool)
    breasts: Spool = field(default_factory=Spool)
    screen_saves: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def _tables(archive: Path) -> tuple[Table, Table]:
    metadata = find_file(archive, METADATA, LAYOUT)
    clinical = find_file(archive, CLINICAL, LAYOUT)
    return (
        open_table(metadata, COLUMNS, release=RELEASE),
        open_table(clinical, CLINICAL_COLUMNS, release=RELEASE),
    )


def _image(cells: Cells, known: Clinical, seen: Seen) -> None:
    """Keep the labels of one image; if it is left out, that is counted."""
    named = SERVER.search((cells.text("anon_dicom_path") or "").replace("\\", "/"))
    told = posixpath.normpath(f"images/{named[0]}") if named else ""
    path = spelled(told, lambda one: bool(seen.files.get(one)))
    found = seen.files.get(path)
    kind = (cells.text("FinalImageType") or "").lower()
    if NUMBER.search(cells.text("ROI_coords") or "") or cells.number("num_roi"):
        for side in [_side(cells)] if _side(cells) else SIDES:  # of an unknown side: either
            seen.breasts.add(f"{read_id(cells, 'acc_anon')}-{side}", DRAWN)
    if len(found) != 1:
        seen.counts["rows_doubled" if found else "files_not_here"] += 1
        return
    seen.counts["files_not_named"] -= 1
    if kind in SCREEN_SAVES:
        seen.screen_saves.append(path)
        seen.files.add(path, {})
    else:
        seen.counts["kind_unknown"] += kind not in KINDS
        whose = read_id(cells, "empi_anon")
        breast = known.breast(read_id(cells, "acc_anon"), _side(cells), whose)
        labels = _labels(cells, known, breast, seen)
        seen.files.add(path, labels)
        if breast.assumed:
            seen.breasts.add(f"{labels['exam_id']}-{labels['laterality']}", path)
        key, *place = _candidate(cells, labels)
        if key is not None:
            seen.views.add(key, [path, *place])


def _pair(seen: Seen) -> None:
    """Part the images of each view into pairs."""
    for key, images in seen.views.groups():
        candidates = [Candidate(key, *told) for _, *told in images]
        for number, changes in pair_by_time(candidates).items():
            seen.files.add(images[number][0], changes)
            seen.counts["dup_view"] += "dup_view" in changes["qc_flags"]


def _assume(seen: Seen) -> None:
    """Label the breasts that findings do not name, unless something is drawn on them."""
    for _, told in seen.breasts.groups():
        paths = [path for path in told if path != DRAWN]
        drawn = len(paths) < len(told)
        seen.counts["assumed_but_drawn" if drawn else "assumed_normal"] += len(paths)
        for path in () if drawn else paths:
            seen.files.add(path, ASSUMED)


def _joined(said: list[dict[str, Any]]) -> dict[str, Any]:
    """Join what was said of a file, one thing after the other."""
    labels = {name: told for one in said for name, told in one.items()}
    flags = [flag for one in said for flag in one.get("qc_flags", ())]
    return labels | ({"qc_flags": flags} if flags else {})


def _named(path: str) -> dict[str, Any]:
    """Tell the patient by the folder of a file."""
    found = PATIENT.match(path)
    return {"patient_id": found[1]} if found else {}


def _side(cells: Cells) -> str | None:
    word = (cells.text("ImageLateralityFinal") or "").upper()
    return word if word in SIDES else None


def _labels(cells: Cells, known: Clinical, breast: Breast, seen: Seen) -> dict[str, Any]:
    exam, side = read_id(cells, "acc_anon"), _side(cells)
    seen.counts["side_not_told"] += side is None
    spot = (cells.text("spot_mag") or "0").lower() not in NORMAL_VIEW
    extra = {"metadata": extra_json(cells, MAPPED), "clinical": breast.extra}
    seen.counts["clinical_missing"] += not known.holds(exam)
    seen.counts["exam_of_other_patient"] += breast.mixed
    seen.counts["biopsy_unsided"] += breast.unsided
    view = cells.text("ViewPosition")
    return without_nones(
        {
            **breast.labels,
            "patient_id": read_id(cells, "empi_anon"),
            "exam_id": exam,
            "laterality": side,
            "view": view.upper() if view else None,
            "image_kind": KINDS.get((cells.text("FinalImageType") or "").lower()),
            "annotations": _annotations(cells, breast, seen),
            "qc_flags": [*breast.flags, *(["spot_or_mag"] if spot else [])],
            "extra_json": dumps({name: said for name, said in extra.items() if said}),
        }
    )


def _annotations(cells: Cells, breast: Breast, seen: Seen) -> list[dict[str, Any]]:
    """Read the boxes with their levels; one that is given twice is one."""
    told = cells.text("match_level")
    boxes = levels_of(list(read_boxes(cells)), told)
    said = cells.number("num_roi")
    seen.counts["boxes_miscounted"] += said is not None and int(said) != len(boxes)
    seen.counts["levels_unclear"] += bool(boxes and told and None in boxes.values())
    linked = breast.finding or {}
    return [
        {
            "finding_id": linked.get("finding_id") if len(boxes) == 1 else None,
            "shape": "box",
            "coords": list(box),
            "source_frame": "embed_face_right",
            "categories": linked.get("categories", []),
            "pathology": linked.get("pathology"),
            "birads": linked.get("birads"),
            "source": f"embed level {level}" if level else "embed",
        }
        for box, level in boxes.items()
    ]


def _candidate(cells: Cells, labels: Mapping[str, Any]) -> Candidate:
    spot = "spot_or_mag" in labels.get("qc_flags", ())
    words = [labels.get(name) for name in ("exam_id", "laterality", "view")]
    key = None if spot or None in words else "-".join(map(str, words))
    return Candidate(
        key,
        labels.get("image_kind"),
        _clock(cells.text("SeriesTime")),
        _real(cells, "SeriesNumber"),
    )


def _clock(text: str | None) -> float | None:
    """Read a DICOM time, HHMMSS with or without a fraction, as seconds; spreadsheets drop zeros."""
    whole, _, fraction = (text or "").partition(".")
    if not whole.isdigit() or len(whole) > 6:
        return None
    whole = whole.zfill(6)
    return 3600 * int(whole[:2]) + 60 * int(whole[2:4]) + float(f"{whole[4:]}.{fraction or 0}")


def _real(cells: Cells, column: str) -> float | None:
    text = cells.text(column) or ""
    return float(text) if NUMBER.fullmatch(text) else None
