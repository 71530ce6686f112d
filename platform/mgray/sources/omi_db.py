"""OMI-DB (OPTIMAM): a folder of JSON and a folder of DICOM for each client.

``imagedb_<client>.json`` lists studies, images and marks of radiologists, ``nbss_<client>.json``
the episodes of the screening service with their biopsies and surgery, by side and lesion.

References:
    the package omidb 0.13.1 reads the same files.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from mgray.collector import paused_collector
from mgray.errors import ConfigError, NotFoundError
from mgray.sources.csv_table import WORST_FIRST
from mgray.sources.layout import files_below, spelled, tell
from mgray.sources.source import Catalog, Count, Description, count_notices
from mgray.sources.spool import Rows, Spool
from mgray.sources.tables import dumps, without_nones
from mgray.sources.timing import Timeline, day_number

LAYOUT: Final = (
    "data/<client>/imagedb_<client>.json and nbss_<client>.json (or in capitals)",
    "images/<client>/<StudyUID>/<SOPUID>.dcm",
)
UID: Final = re.compile(r"[\d.]+")
PROOFS: Final = ("SURGERY", "BIOPSYWIDE", "BIOPSYFINE")
OPINIONS: Final = {
    "malignant": (
        "OM", "O Malignant", "B5", "Malignant", "C5", "Cyt malig", "H5", "Hist malignant",
    ),
    "benign": ("OB", "O Benign", "B2", "Benign", "C2", "Cyt benign", "H2", "Histol benign"),
    "high_risk": ("B3", "Benign unc mal"),
    "negative": ("ON", "O Normal", "Normal", "H1", "Histol normal"),
    None: (
        "OS", "O Suspicious", "Suspicious", "OU", "O Uncertain", "Uncertain", "B1",
        "Unsatis/Normal", "B4", "Susp of malig", "BA", "Clinical", "C1", "Cyt unsatis", "C3",
        "Cyt atypia", "C4", "Cyt susp malig", "H0", "Hist unreported",
    ),
}  # fmt: skip
"""Pathology to opinions of a biopsy or an operation that say so: codes of lesions, words of sides;
suspicions and unsatisfying ones are none."""
PATHOLOGY: Final = {said.lower(): found for found, some in OPINIONS.items() for said in some}
MOST_OF_JSON: Final = 64 * 2**20
"""Bytes of a file of one client."""
SIDES: Final = {"L": "left_opinion", "R": "right_opinion"}
FEATURES: Final = {
    "Mass": "mass",
    "SuspiciousCalcifications": "calcification",
    "WithCalcification": "calcification",
    "ArchitecturalDistortion": "architectural_distortion",
    "FocalAsymmetry": "asymmetry",
}
Lesions = dict[str, dict[str, str | None]]
"""Number of a lesion to side to pathology."""
NAMED: Final = 4
"""Parts of the path of an image: images, client, study, file."""
CORNERS: Final = ("X1", "Y1", "X2", "Y2")
TEXTS: Final = {
    "files_not_here": "images of the imagedb whose file is not here: a partial download",
    "files_not_named": "files that no imagedb names: kept without labels, of the client and study "
    "whose folders hold them",
    "json_unreadable": "JSON files that are damaged, or no JSON of OMI-DB: skipped; images of "
    "such an imagedb are files_not_named",
    "episodes_unknown": "studies whose episode the NBSS lacks: no pathology",
    "opinions_unknown": "opinions of a biopsy or an operation in words that nobody listed: none",
    "lesions_ambiguous": "marks linked to a lesion number that both sides have: no pathology",
    "marks_without_corners": "marks without four corners: dropped",
}
DESCRIPTION: Final = Description(
    title="OMI-DB, OPTIMAM Mammography Image Database",
    kind="FFDM, processed and unprocessed versions of one exposure, DICOM",
    size="by agreement: the part of the database that was granted",
    labels="pathology of each lesion and side from biopsy and surgery (NBSS), by episode",
    boxes="boxes of radiologists on images",
    pairs="unknown",
    obtain="by application to Cancer Research Horizons: medphys.royalsurrey.nhs.uk/omidb",
    layout=LAYOUT,
    pitfalls=(
        "processed and unprocessed versions lie side by side: told by PresentationIntentType, the "
        "latter are ffdm_raw and flagged for_processing",
        "ImageType DERIVED is no sign of a synthetic image, nor SECONDARY of a capture where the "
        "header says that no text is burned in (BurnedInAnnotation NO)",
        "file names of the JSON are in lower or upper case",
        "labels are of a side, and the side is in the header alone: joined after reading",
        "lesion numbers are unique within an episode only; 1, 01 and a list with commas occur",
        "a mark may be linked to a lesion of the other breast: its pathology is not the box's, "
        "flagged lesion_side_contradicted",
        "opinions of a lesion are codes (B5), those of a side words (Malignant)",
        "opinions of screening and imaging are no pathology: biopsy and surgery alone count, of "
        "several the worst",
        "a side without any biopsy has no label, also where the screen was normal",
        "padding is told by the header (0 in the sample that was read): black under any window",
        "an interval cancer has an episode of its own (CI), the client a status (M, B, N, CI): an "
        "image has the labels of its own episode alone, the rest is in extra_json",
    ),
    unsettled=(
        "whether corners count from the top or the bottom: sorted, and the hypothesis whose boxes "
        "lie in the breast is used; where both do, that of nine in ten others, ten at "
        "least (frame_by_vote), else the top (frame_undecided); the manifest has the votes",
    ),
)


@dataclass(frozen=True)
class OmiDbSource:
    """OMI-DB."""

    name: str = "omi_db"
    licence_tag: str = "OMI-DB"
    adapter_version: str = "5"

    def describe(self) -> Description:
        """Tell what the dataset is."""
        return DESCRIPTION

    @paused_collector()
    def catalog(self, archive: Path) -> Catalog:
        """Join both JSON files of each client with the files that are here.

        Raises:
            NotFoundError: No client.
            ConfigError: No imagedb can be understood.
        """
        counts, files = Counter[str](), Spool()
        for path in files_below(archive, ["images"]):
            files.add(path, _named(path))
        for client, imagedb in _imagedbs(archive, counts):
            nbss = _read(archive, client, "nbss", counts)
            studies = (study for _, study in _objects(imagedb.get("STUDIES")))
            days = Timeline((client, day_number(study.get("StudyDate"))) for study in studies)
            for told_path, study, marks in _images(client, imagedb):
                path = spelled(told_path, lambda one: bool(files.get(one)))
                if not files.get(path):
                    counts["files_not_here"] += 1
                else:
                    order = days.order(client, day_number(study.get("StudyDate")))
                    told = _labels(client, study, marks, nbss, counts)
                    files.add(path, told | ({} if order is None else {"exam_order": order}))
        counts["files_not_named"] = sum(len(said) == 1 for _, said in files.groups())
        rows = Rows(files, itemgetter(-1))
        return Catalog(rows, notices=count_notices(counts, TEXTS), described=True)

    def verify(self, archive: Path) -> list[Count]:
        """Count clients, images and marks; how many were granted nobody can know here.

        Raises:
            NotFoundError: No client.
            ConfigError: No imagedb can be understood.
        """
        clients, here = len(_clients(archive)), set(files_below(archive, ["images"]))
        counts = Counter[str]()
        listed = [
            (spelled(path, here.__contains__) in here, len(marks))
            for client, imagedb in _imagedbs(archive, counts)
            for path, _, marks in _images(client, imagedb)
        ]
        found = sum(one for one, _ in listed)
        read = clients - counts["json_unreadable"]
        return [
            Count("clients", None, clients),
            Count("imagedb files that can be read", clients, read, of_release=False),
            Count("images in the imagedb", None, len(listed)),
            Count("marks", None, sum(marks for _, marks in listed)),
            Count("images here", len(listed), found, of_release=False),
        ]


def _clients(archive: Path) -> list[str]:
    folder = archive / "data"
    found = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    clients = [name for name in found if _path(archive, name, "imagedb") is not None]
    if not clients:
        what = tell(archive) if archive.is_dir() else "no such folder"
        raise NotFoundError(
            f"looked for data/<client>/imagedb_<client>.json below {str(archive)!r}, found {what}: "
            f"expected {' | '.join(LAYOUT)}"
        )
    return clients


def _path(archive: Path, client: str, what: str) -> Path | None:
    folder = archive / "data" / client
    heads, ids = (what, what.upper()), (client, client.upper())
    names = [f"{head}_{name}.json" for head in heads for name in ids]
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _imagedbs(archive: Path, counts: Counter[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the clients with their imagedbs; a damaged one lists nothing.

    Raises:
        NotFoundError: No client.
        ConfigError: All are damaged.
    """
    clients, damaged = _clients(archive), Counter[str]()
    for client in clients:
        yield client, _read(archive, client, "imagedb", damaged)
    if damaged.total() == len(clients):
        raise ConfigError("no imagedb file of data/ is JSON of OMI-DB: get them again")
    counts += damaged


def _read(archive: Path, client: str, what: str, counts: Counter[str]) -> dict[str, Any]:
    """Read a JSON file of a client; nothing where it is not here, or damaged."""
    path = _path(archive, client, what)
    if path is None:
        return {}
    try:
        found = json.loads(path.read_text()) if path.stat().st_size <= MOST_OF_JSON else None
        json.dumps(found, ensure_ascii=False).encode()  # fails on half a character
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        counts["json_unreadable"] += 1
        return {}
    return found


def _images(
    client: str, imagedb: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any], list[Mapping[str, Any]]]]:
    """Yield path, study and marks of each image that an imagedb lists."""
    for study_uid, study in _objects(imagedb.get("STUDIES")):
        told = {"uid": study_uid, **{k: v for k, v in study.items() if not isinstance(v, dict)}}
        for series_uid, series in _objects(study):
            if not UID.fullmatch(series_uid):
                continue
            for sop_uid, marks in series.items():
                if UID.fullmatch(sop_uid):
                    path = f"images/{client}/{study_uid}/{sop_uid}.dcm"
                    yield path, told, [mark for _, mark in _objects(marks)]


def _named(path: str) -> dict[str, Any]:
    """Tell client and study by the folders of a file."""
    parts = path.split("/")
    return {"patient_id": parts[1], "exam_id": parts[2]} if len(parts) == NAMED else {}


def _objects(found: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the members that are objects themselves."""
    for name, value in found.items() if isinstance(found, dict) else ():
        if isinstance(value, dict):
            yield name, value


def _labels(
    client: str,
    study: Mapping[str, Any],
    marks: list[Mapping[str, Any]],
    nbss: Mapping[str, Any],
    counts: Counter[str],
) -> dict[str, Any]:
    episode = nbss.get(str(study.get("EpisodeID")))
    if not isinstance(episode, dict):
        counts["episodes_unknown"] += 1
        episode = {}
    lesions, exam = _lesions(episode, counts), day_number(study.get("StudyDate"))
    boxes = [made for mark in marks if (made := _annotation(mark, lesions, counts)) is not None]
    counts["marks_without_corners"] += len(marks) - len(boxes)
    flat = {name: value for name, value in nbss.items() if not isinstance(value, dict)}
    return without_nones(
        {
            "patient_id": client,
            "exam_id": str(study["uid"]),
            "by_side": {side: _side(episode, lesions, side, exam, counts) for side in SIDES},
            "label_level": "breast",
            "annotations": boxes,
            "extra_json": dumps(
                {"study": study, "episode": episode, "client": flat, "marks": marks}
            ),
        }
    )


def _lesions(episode: Mapping[str, Any], counts: Counter[str]) -> Lesions:
    """Tell the pathology of each lesion of an episode, by number and side."""
    found: Lesions = {}
    for event in (*PROOFS, "LESION"):
        for side, lesions in _objects(episode.get(event)):
            for number, lesion in _objects(lesions):
                sides = found.setdefault(_number(number), {})
                said = _opinion(lesion.get("Opinion"), counts) if event in PROOFS else None
                sides[side] = _worst([sides.get(side), said])
    return found


def _opinion(said: Any, counts: Counter[str]) -> str | None:
    """Read an opinion as pathology; a word that nobody listed is counted."""
    word = _word(said)
    counts["opinions_unknown"] += bool(word) and word not in PATHOLOGY
    return PATHOLOGY.get(word)


def _word(said: Any) -> str:
    return str(said or "").strip().lower()


def _side(
    episode: Mapping[str, Any],
    lesions: Lesions,
    side: str,
    exam: int | None,
    counts: Counter[str],
) -> dict[str, Any]:
    events = (episode.get(event) for event in PROOFS)
    said = [_opinion(event.get(SIDES[side]), counts) for event in events if isinstance(event, dict)]
    pathology = _worst([*said, *(sides.get(side) for sides in lesions.values())])
    if pathology is None:
        return {}
    cancer = int(pathology == "malignant")
    told = {"pathology": pathology, "cancer": cancer, "label_source": "pathology"}
    return told | _days_to(pathology, episode, side, exam)


def _days_to(
    pathology: str, episode: Mapping[str, Any], side: str, exam: int | None
) -> dict[str, int]:
    """Count the days from an exam to the first event that says a pathology; below 0: before."""
    found = []
    for event in (episode.get(name) for name in PROOFS):
        if not isinstance(event, dict):
            continue
        of_event = event.get("dateperformed")
        said = [(event.get(SIDES[side]), of_event)]
        for _, lesion in _objects(event.get(side)):
            said.append((lesion.get("Opinion"), lesion.get("DatePerformed") or of_event))
        found += [
            day_number(text) for opinion, text in said if PATHOLOGY.get(_word(opinion)) == pathology
        ]
    days = [day for day in found if day is not None]
    return {} if exam is None or not days else {"outcome_time_days": min(days) - exam}


def _worst(found: Iterable[str | None]) -> str | None:
    met = set(found)
    return next((word for word in WORST_FIRST if word in met), None)


def _annotation(
    mark: Mapping[str, Any], lesions: Lesions, counts: Counter[str]
) -> dict[str, Any] | None:
    """Read a mark; ``None`` without its corners, which come in any order."""
    try:
        x1, y1, x2, y2 = (float(mark[name]) for name in CORNERS)
    except (KeyError, TypeError, ValueError):
        return None
    linked = [_number(text) for text in str(mark.get("LinkedNBSSLesionNumber") or "").split(",")]
    linked = [number for number in linked if number]
    sides = [lesions.get(number, {}) for number in linked]
    counts["lesions_ambiguous"] += any(len(found) > 1 for found in sides)
    by_side: dict[str, list[str | None]] = {}
    for side, pathology in (one for found in sides if len(found) == 1 for one in found.items()):
        by_side.setdefault(side, []).append(pathology)
    words = [word for name, word in FEATURES.items() if mark.get(name)]
    return {
        "finding_id": f"lesion {linked[0]}" if len(linked) == 1 else None,
        "shape": "box",
        "coords": [min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)],
        "source_frame": "omi_db",
        "categories": list(dict.fromkeys(words)),
        "by_side": {side: {"pathology": _worst(said)} for side, said in by_side.items()},
        "source": "omi_db",
    }


def _number(text: str) -> str:
    return text.strip().lstrip("0")
