"""The audit finds what PAPERS.md says of the papers' own tables."""

import pytest

from mgray.metrics.binary import Confusion
from mgray.metrics.fractions import Counts, PrintedRow, parse_printed
from mgray.metrics.table_audit import audit

NAMES = {"t": "sensitivity", "s": "specificity", "f": "f1", "a": "accuracy"}


def row(
    name: str, positives: int | None = None, negatives: int | None = None, **rates: str
) -> PrintedRow:
    printed = {NAMES[key]: parse_printed(text) for key, text in rates.items()}
    return PrintedRow(name, printed, positives, negatives)


LESION = [  # Wimmer et al., Table V; Table II states 348 and 105
    row("P_score", f=".932", t=".933", s=".771"),
    row("P_score*", f=".928", t=".919", s=".800"),
    row("P_feat", f=".948", t=".956", s=".800"),
    row("P_feat*", f=".943", t=".939", s=".829"),
    row("max(p_F)", f=".938", t=".974", s=".667"),
]
MALIGNANCY = [
    row("P_score", f=".601", t=".591", s=".813"),
    row("P_score*", f=".523", t=".578", s=".857"),
    row("P_feat", f=".603", t=".638", s=".763"),
    row("P_feat*", f=".581", t=".577", s=".797"),
    row("max(p_L)", f=".578", t=".570", s=".800"),
]
DENSITY = [  # Table VIII and text
    row("D", t=".882", s=".832", f=".861", a=".857"),
    row("mean", t=".833", s=".889", f=".858", a=".861"),
    row("D .6", t=".860", f=".871", s=".885", a=".872"),
    row("D .7", t=".816", f=".859", s=".916", a=".866"),
    row("D .8", t=".763", f=".841", s=".947", a=".855"),
    row("mean .6", t=".781", f=".838", s=".916", a=".848"),
]
ABLATION = row("without pre-training", t=".934", f=".817", a=".797", s=".690")


def test_the_papers_lesion_table_is_of_449_cases() -> None:
    assert audit(LESION, most=600).counts == (Counts(344, 105),)


def test_the_numbers_that_the_paper_states_do_not_give_its_table() -> None:
    stated = [PrintedRow(each.name, each.rates, positives=348, negatives=105) for each in LESION]
    verdict = audit(stated, most=600)
    assert verdict.stated is False
    assert verdict.counts == (Counts(344, 105),)


def test_right_numbers_are_confirmed() -> None:
    stated = [PrintedRow(each.name, each.rates, positives=344, cases=449) for each in LESION]
    assert audit(stated).stated is True


def test_the_exchanged_rates_of_the_malignancy_table_are_found() -> None:
    verdict = audit(MALIGNANCY, most=600)
    assert verdict.counts == ()
    assert verdict.odd == ("P_score*",)
    repairs = {one.change: one.counts for one in verdict.repairs}
    assert repairs["f1 and sensitivity exchanged"] == (Counts(149, 300),)


def test_the_density_table_is_of_454_cases() -> None:
    assert audit(DENSITY, most=600).counts == (Counts(228, 226),)


def test_the_misprinted_sensitivity_of_the_ablation_is_found() -> None:
    verdict = audit([*DENSITY, ABLATION], most=600)
    assert verdict.impossible == ("without pre-training",)
    assert verdict.counts == (Counts(228, 226),)
    assert [one.change for one in verdict.repairs] == ["sensitivity 0.904 instead of 0.934"]


@pytest.mark.parametrize(
    ("sensitivity", "specificity", "cases", "counts"),
    [
        ("86.7", "96.1", 107, {(30, 77)}),
        ("86.1", "80.1", 376, {(79, 297), (115, 261), (165, 211), (180, 196), (230, 146)}),
    ],
)
def test_p4s_test_sets_are_those_of_the_audit(
    sensitivity: str, specificity: str, cases: int, counts: set[tuple[int, int]]
) -> None:
    rates = {"sensitivity": parse_printed(sensitivity), "specificity": parse_printed(specificity)}
    assert set(audit([PrintedRow("ensemble", rates, cases=cases)]).counts) == counts


def test_a_row_alone_can_be_impossible() -> None:
    verdict = audit([row("broken", t=".500", s=".500", a=".900")])
    assert verdict.impossible == ("broken",)
    assert verdict.counts == ()


def test_two_rows_of_the_findings_model_are_of_different_test_sets() -> None:
    main, ablation = (
        [PrintedRow(name, row(name, **rates).rates, cases=1812)]
        for name, rates in (
            ("F", {"t": ".881", "s": ".802", "f": ".878"}),
            ("without patches", {"t": ".816", "s": ".817", "f": ".846"}),
        )
    )
    positives = [[one.positives for one in audit(rows).counts] for rows in (main, ablation)]
    assert [(min(each), max(each)) for each in positives] == [(1104, 1111), (1117, 1125)]
    assert audit(main + ablation, most=1812).stated is False


def test_an_impossible_row_does_not_hide_its_namesake() -> None:
    """Two backbones of one model have the first column, and so the name, in common."""
    rates = ("sensitivity", "specificity", "precision", "accuracy")
    rows = [
        PrintedRow(name, dict(zip(rates, map(parse_printed, told), strict=True)))
        for name, told in (
            ("ours", (".957", ".714", ".770", ".836")),
            ("ours", (".900", ".800", ".400", ".850")),
            ("base", (".850", ".810", ".817", ".830")),
        )
    ]
    found = audit(rows, 300)
    assert found.impossible == ("ours",)
    assert found.counts == ()


def test_a_large_test_set_that_is_stated_is_looked_at_alone() -> None:
    rates = {"sensitivity": parse_printed(".87"), "specificity": parse_printed(".88")}
    found = audit([PrintedRow("m", rates, 1200, 22800)])
    assert (found.stated, found.counts) == (True, (Counts(1200, 22800),))
    found = audit([PrintedRow("m", rates, cases=24000)])
    assert found.stated
    assert all(sum(pair) == 24000 for pair in found.counts)


def exact(**stated: int) -> list[PrintedRow]:
    """Four models on 600 positives and 700 negatives."""
    found = {"w": (543, 611), "x": (571, 598), "y": (502, 655), "z": (533, 640)}
    rows = []
    for name, (hits, rest) in found.items():
        made = Confusion(hits, 700 - rest, rest, 600 - hits)
        rates = {rate: parse_printed(f"{getattr(made, rate):.3f}") for rate in NAMES.values()}
        rows.append(PrintedRow(name, rates, **stated))
    return rows


@pytest.mark.parametrize(
    "stated",
    [
        {"positives": 600},
        {"negatives": 700},
        {"cases": 1300},
        {"positives": 600, "negatives": 700},
    ],
)
def test_a_table_that_states_one_class_is_confirmed(stated: dict[str, int]) -> None:
    verdict = audit(exact(**stated))
    assert (verdict.stated, verdict.odd) == (True, ())
    assert Counts(600, 700) in verdict.counts


def test_classes_stated_in_different_rows_are_taken_together() -> None:
    rows = [*exact(positives=600)[:2], *exact(negatives=700)[2:]]
    assert audit(rows, most=100).counts == (Counts(600, 700),)


def test_a_wrong_number_of_one_class_is_still_told() -> None:
    assert audit(exact(positives=601)).stated is False


def test_a_class_as_large_as_all_cases_looked_at_is_confirmed() -> None:
    verdict = audit([PrintedRow("m", {"sensitivity": parse_printed(".500")}, positives=1000)])
    assert verdict.stated is True
