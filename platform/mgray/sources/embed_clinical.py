"""EMBED's clinical table: findings of an exam, and what they say of each breast.

=============  ====================================================================================
asses          A 0 (incomplete), N 1, B 2, P 3, S 4, M 5, K 6; X none
path_severity  0 invasive and 1 in situ: malignant; 2 high-risk and 3 borderline: high_risk;
               4 benign; 5 negative; 6 not of the breast: other_cancer; empty: no biopsy
bside          breast of the biopsy, which a finding of both breasts does not tell; empty: side
=============  ====================================================================================
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final, NamedTuple

from mgray.sources.cells import Cells
from mgray.sources.csv_table import WORST_FIRST
from mgray.sources.spool import Spool
from mgray.sources.tables import as_id, extra_json, read_id, without_nones
from mgray.sources.timing import Timeline, day_number

COLUMNS: Final = (
    "empi_anon",
    "acc_anon",
    "numfind",
    "side",
    "desc",
    "asses",
    "path_severity",
    "tissueden",
    "age_at_study",
    "study_date_anon",
)
BIRADS: Final = {"a": 0, "n": 1, "b": 2, "p": 3, "s": 4, "m": 5, "k": 6, "x": None}
BIRADS_WORST_FIRST: Final = (6, 5, 4, 0, 3, 2, 1)
SEVERITY: Final = {
    "0": "malignant",
    "1": "malignant",
    "2": "high_risk",
    "3": "high_risk",
    "4": "benign",
    "5": "negative",
    "6": "other_cancer",
}
DENSITY: Final = {"1": "a", "2": "b", "3": "c", "4": "d"}
MASS, ASYMMETRY, DISTORTION = frozenset("GROXNYDL"), frozenset("TBSFV"), frozenset("QA")
MARGINS, DENSE = frozenset("DUMIS"), frozenset("+-=")
SIDES: Final = ("L", "R", "B")
BOTH: Final = ("B", None)
NEGATIVE: Final = 1
REMEMBERED: Final = 256
FOLLOWUP_DAYS: Final = {0: 180, 1: 365, 2: 365}
"""BI-RADS of an exam to how many days later a biopsy still speaks of it."""


class Finding(NamedTuple):
    """One row of the table; ``biopsied`` is the side that its pathology is of, ``day`` a number."""

    exam: str
    patient: str | None
    number: str | None
    side: str | None
    biopsied: str | None
    birads: int | None
    pathology: str | None
    categories: list[str]
    density: str | None
    age: float | None
    day: int | None
    bilateral: bool
    extra: dict[str, str]

    def proof(self, side: str) -> str | None:
        """Pathology of one breast."""
        return self.pathology if self.biopsied in (side, *BOTH) else None


@dataclass(frozen=True)
class Breast:
    """What the table says of one breast in one exam.

    Args:
        labels: Of ``source.LABELS``.
        flags: Of ``schema.QC_FLAGS``.
        finding: Labels of an annotation, if the breast has just one finding.
        extra: Unmapped columns of each finding that tells of it; where none does, of the exam's.
        unsided: The pathology of it, or that may be of it, is of a finding of both breasts whose
            biopsy names no side.
        assumed: Its exam is of both breasts and names only the other one: as if normal.
        mixed: The exam has findings of another patient, which say nothing of this one.
    """

    labels: dict[str, Any] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)
    finding: dict[str, Any] | None = None
    extra: list[dict[str, str]] = field(default_factory=list)
    unsided: bool = False
    assumed: bool = False
    mixed: bool = False


class Clinical:
    """All findings by exam, and exams by patient."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.undated, self.unassessed = 0, 0
        by_exam, by_patient = Spool(), Spool()
        self.days = Timeline()
        for finding in findings:
            by_exam.add(finding.exam, tuple(finding))
            self.undated += finding.day is None
            self.unassessed += finding.extra.get("asses", "x").lower() not in BIRADS
            self.days.add(finding.patient, finding.day)
            if finding.patient and finding.pathology is not None and finding.day is not None:
                by_patient.add(finding.patient, tuple(finding))
        # remembered, since images of one exam and exams of one patient come together
        self.of_exam, self.of_patient = map(_remembered, (by_exam, by_patient))
        self._known = lru_cache(REMEMBERED)(self._breast)

    def holds(self, exam: str | None) -> bool:
        """Tell whether the table has an exam."""
        return exam is not None and bool(self.of_exam(exam))

    def breast(self, exam: str | None, side: str | None, patient: str | None) -> Breast:
        """Tell what is known of a patient's breast in one exam; nothing if the table lacks it."""
        known = exam is not None and side is not None and self.holds(exam)
        return self._known(exam, side, patient) if known else Breast()

    def _breast(self, exam: str, side: str, patient: str | None) -> Breast:
        findings = self.of_exam(exam)
        hers = _of_patient(findings, patient)
        told = self._told(hers, side) if hers else Breast()
        return replace(told, mixed=len(hers) < len(findings))

    def _told(self, findings: Sequence[Finding], side: str) -> Breast:
        own = [one for one in findings if one.side == side or one.side in BOTH]
        shared = without_nones(
            {
                "density": _first(findings, "density"),
                "age": _first(findings, "age"),
                "exam_order": self.days.order(_first(findings, "patient"), _first(findings, "day")),
            }
        )
        proofs = [one for one in findings if one.proof(side)]
        if own or proofs:
            return self._named(own, proofs, side, shared)
        return self._unnamed(findings, side, shared)

    def _named(
        self,
        own: Sequence[Finding],
        proofs: Sequence[Finding],
        side: str,
        shared: dict[str, Any],
    ) -> Breast:
        """A breast that findings or their biopsies name.

        A later cancer wins over what its own biopsy found.
        """
        birads = worst(BIRADS_WORST_FIRST, (one.birads for one in own))
        pathology = worst(WORST_FIRST, (one.pathology for one in proofs))
        later, unsided = self._later((own or proofs)[0], side, birads)
        if later and (pathology == "malignant" or (pathology and later["cancer"] != 1)):
            later = None
        if later is None:
            unsided = any(one.biopsied is None for one in proofs)
        outcome = later or _outcome(pathology, "pathology", 0)
        labels = {**shared, "birads": birads, **outcome}
        single = own[0] if len(own) == 1 else None
        return Breast(
            without_nones(labels),
            ["pathology_on_other_exam"] * (later is not None),
            None if single is None else _linked(single, side),
            [one.extra for one in [*own, *(one for one in proofs if one not in own)]],
            unsided,
        )

    def _unnamed(self, findings: Sequence[Finding], side: str, shared: dict[str, Any]) -> Breast:
        """A breast that no finding names: assumed normal if the exam is of both breasts.

        As after any negative exam, a cancer within a year tells otherwise; one of a side that
        nothing tells may be here or not, so nothing is said then.
        """
        rest = [one.extra for one in findings]
        if not any(one.bilateral for one in findings):
            return Breast(shared, extra=rest)
        later, unsided = self._later(findings[0], side, NEGATIVE)
        if unsided:
            return Breast(shared, extra=rest, unsided=True)
        if later:
            return Breast({**shared, **later}, ["pathology_on_other_exam"], extra=rest)
        return Breast(shared, extra=rest, assumed=True)

    def _later(
        self, first: Finding, side: str, birads: int | None
    ) -> tuple[dict[str, Any] | None, bool]:
        """Make the labels of the pathology of a later exam that answers this one.

        After an incomplete assessment any pathology does; after a negative one cancer alone.

        Returns:
            The labels, and whether no biopsy that proves them names its side.
        """
        days = FOLLOWUP_DAYS.get(birads if birads is not None else -1)
        if first.day is None or days is None or first.patient is None:
            return None, False
        found = [
            (proof, one.day - first.day, one.biopsied is None)
            for one in self.of_patient(first.patient)
            if one.exam != first.exam
            and (proof := one.proof(side))
            and one.day is not None
            and 0 <= one.day - first.day <= days
            and (birads == 0 or proof == "malignant")
        ]
        answer = worst(WORST_FIRST, (proof for proof, *_ in found))
        if answer is None:
            return None, False
        days_after = min(after for proof, after, _ in found if proof == answer)
        unsided = all(unknown for proof, _, unknown in found if proof == answer)
        return _outcome(answer, "followup", days_after), unsided


def _remembered(held: Spool) -> Callable[[str], list[Finding]]:
    return lru_cache(REMEMBERED)(lambda key: [Finding(*one) for one in held.get(key)])


def read_clinical(table: Iterable[Cells]) -> Clinical:
    """Read the table.

    Raises:
        ConfigError: A cell that cannot be understood.
    """
    return Clinical(one for cells in table if (one := _finding(cells)))


def worst(order: Sequence[Any], found: Iterable[Any]) -> Any:
    """Give the first of an order that is found; ``None`` if none is."""
    met = set(found)
    return next((one for one in order if one in met), None)


def cancer_of(pathology: str | None) -> int | None:
    """Read the cancer axis from a biopsy; another organ's cancer says nothing of the breast's."""
    return None if pathology in (None, "other_cancer") else int(pathology == "malignant")


def _of_patient(findings: Sequence[Finding], patient: str | None) -> Sequence[Finding]:
    """Leave out findings of others; where there are others, also those that name nobody."""
    if len({patient, *(one.patient for one in findings)} - {None}) <= 1:
        return findings
    return [one for one in findings if one.patient and one.patient == patient]


def _finding(cells: Cells) -> Finding | None:
    exam = read_id(cells, "acc_anon")
    if exam is None:
        return None
    asses, words = cells.text("asses"), (cells.text("desc") or "").lower()
    severity = as_id(cells.text("path_severity"))
    if severity is not None and severity not in SEVERITY:
        raise cells.fault("path_severity", "0 to 6")
    side = cells.word("side", SIDES)
    return Finding(
        exam,
        read_id(cells, "empi_anon"),
        read_id(cells, "numfind"),
        side,
        cells.word("bside", SIDES) or (None if side in BOTH else side),
        BIRADS.get((asses or "").lower()),
        SEVERITY.get(severity or ""),
        categories(cells),
        DENSITY.get(as_id(cells.text("tissueden")) or ""),
        cells.number("age_at_study"),
        day_number(cells.text("study_date_anon")),
        "bilat" in words,
        extra_json(cells, MAPPED),
    )


def categories(cells: Cells) -> list[str]:
    """Tell what kind of finding a row describes, by its descriptors; an empty cell is none."""
    shape, margin, dense = (
        (cells.text(name) or "").upper() for name in ("massshape", "massmargin", "massdens")
    )
    calcified = cells.text("calcfind") or cells.text("calcdistri")
    number = as_id(cells.text("calcnumber")) or "0"
    held = {
        "mass": shape in MASS or margin in MARGINS or dense in DENSE,
        "asymmetry": shape in ASYMMETRY,
        "architectural_distortion": shape in DISTORTION,
        "calcification": calcified or number != "0",
    }
    return [name for name, holds in held.items() if holds]


def _linked(finding: Finding, side: str) -> dict[str, Any]:
    """Say of a box what its finding says; what a later exam says is of the breast, not of it."""
    return {
        "finding_id": finding.number,
        "categories": finding.categories,
        "pathology": finding.proof(side),
        "birads": finding.birads,
    }


def _outcome(pathology: str | None, source: str, days: int) -> dict[str, Any]:
    told = None if pathology is None else source
    cancer = cancer_of(pathology)
    return {
        "pathology": pathology,
        "cancer": cancer,
        "label_source": told,
        "label_level": "breast",
        "outcome_time_days": None if pathology is None else days,
    }


def _first(findings: Sequence[Finding], name: str) -> Any:
    return next((found for one in findings if (found := getattr(one, name)) is not None), None)


MAPPED: Final = frozenset({"empi_anon", "acc_anon", "age_at_study"})
