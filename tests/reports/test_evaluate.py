import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mgray.config import replace
from mgray.errors import DataError, SchemaError
from mgray.models.folder import read_meta, update_meta
from mgray.models.saved import load_model
from mgray.reports.evaluate import evaluate


@pytest.fixture
def report(evaluated: object) -> dict[str, object]:
    return read(evaluated)


@pytest.fixture
def page(evaluated: object) -> str:
    return (evaluated.config.out / "report.html").read_text()


def read(world: object) -> dict[str, object]:
    def refuse(word: str) -> None:
        raise AssertionError(word)

    text = (world.config.out / "report.json").read_text()
    return json.loads(text, parse_constant=refuse)  # NaN and Infinity are not JSON


def test_the_report_has_the_promised_keys(report: dict) -> None:
    forms = {"fauc_1", "fauc_1_ci95", "fauc_1_plus", "fauc_1_plus_ci95"}
    assert all(forms <= facts.keys() for facts in report["models"].values())
    assert set(report["models"]) == {"untrained", "sm", "ffdm", "fused", "upper_bound"}
    promised = {"gap_closed", "gap_closed_ci95", "served", "complementarity", "config", "versions"}
    assert promised | {"seeds", "counts", "rule", "verdict"} <= report.keys()


def test_the_report_holds_the_known_numbers(report: dict) -> None:
    assert report["models"]["sm"]["fauc_1"] == pytest.approx(1 / 3)
    assert report["gap_closed"] == pytest.approx(0.5)
    assert report["counts"]["test"]["positive_pairs"] == 6
    assert report["counts"]["val"]["images"] == {"ffdm": 4, "synthetic_2d": 4}
    assert report["complementarity"]["buckets"]["missed_in_sm_only"] == 2


def test_the_report_says_its_rule_and_frame(report: dict) -> None:
    assert "max(half the finding's diagonal, 10 px), measured in the dicom frame" in report["rule"]


def test_a_second_run_gives_the_same_bytes(evaluated: object, page: str) -> None:
    assert evaluate(evaluated.config, evaluated.predict).read_text() == page


def test_licences_of_images_and_models_are_told(page: str, report: dict) -> None:
    assert report["licence_tags"] == ["EMBED", "unknown"]
    assert "the data that the models have seen: EMBED, unknown." in page


def test_nothing_private_is_written(evaluated: object, page: str) -> None:
    texts = page + (evaluated.config.out / "report.json").read_text()
    visible = re.sub(r"base64,[A-Za-z0-9+/=]+", "", texts)
    for secret in ("PRIVATE", "patient 0", "test0/", str(evaluated.config.out), str(Path.home())):
        assert secret not in visible


class Links(HTMLParser):
    """Collect what a browser would load, and tags left open."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in {"script", "link", "iframe"}
        names = ("src", "href", "xlink:href")
        self.loads += [value or "" for name, value in attrs if name in names]


def test_the_page_loads_nothing(page: str) -> None:
    links = Links()
    links.feed(page)
    assert links.loads
    assert all(link.startswith(("data:", "#")) for link in links.loads)


def test_the_page_shows_verdict_table_curves_and_pictures(page: str) -> None:
    for words in ("FAUC-1 beside the paper", "Missed in SM only", "Learning curves", "told apart"):
        assert words in page
    assert page.count("data:image/jpeg") == 2 * (1 + 2 + 1 + 1 + 2)


def test_thresholds_are_written_into_the_model_folders(evaluated: object, report: dict) -> None:
    meta = read_meta(evaluated.config.run / "models" / "sm")
    assert meta.thresholds["fppi_1"] == report["models"]["sm"]["threshold"] == 0.8
    said = meta.notes["threshold fppi_N is"]
    assert said == f"N false positives per image on all images of val; {report['rule']}"


def test_figures_with_intervals_and_subgroups_are_in_the_card(
    evaluated: object, report: dict
) -> None:
    folder = evaluated.config.run / "models" / "sm"
    first, *rest = read_meta(folder).measured
    assert (first.what, first.value) == ("fauc_1", report["models"]["sm"]["fauc_1"])
    assert list(first.ci95) == report["models"]["sm"]["fauc_1_ci95"]
    assert f"| fauc_1 | test | {first.value:.3f} |" in (folder / "README.md").read_text()
    assert any(", " in one.where for one in rest)


def test_the_model_folders_have_four_operating_points(evaluated: object) -> None:
    limits = read_meta(evaluated.config.run / "models" / "sm").thresholds
    assert list(limits) == ["fppi_0.25", "fppi_0.5", "fppi_1", "fppi_2"]
    assert list(limits.values()) == sorted(limits.values(), reverse=True)


def test_a_report_of_some_models_leaves_the_rest_out(world: object) -> None:
    evaluate(replace(world.config, {"models": ["sm"], "gallery": 0}), world.predict)
    report = read(world)
    assert report["gap_closed"] is None
    assert report["complementarity"] is None
    assert "not compared" in report["verdict"]


def test_validation_can_be_reported_alone(world: object) -> None:
    evaluate(replace(world.config, {"split": "val", "audit": False}), world.predict)
    report = read(world)
    assert report["split"] == "val"
    assert report["alignment"]["pairs"] == 0


def test_what_the_endpoint_answered_is_shown(world: object, tmp_path: Path) -> None:
    served = [
        {"what": "phantom SM", "seconds": 0.83, "answer": {
            "images": [{"detections": [{"label": "malignant", "score": 0.9}],
                        "timing_ms": {"decode": 64, "detect": 511}}],
            "thresholds": {"1": 0.5}}},
    ]  # fmt: skip
    (tmp_path / "served.json").write_text(json.dumps(served))
    page = evaluate(replace(world.config, {"served": tmp_path / "served.json"}), world.predict)
    assert read(world)["served"] == served
    assert "0.83 s" in page.read_text()


def test_a_broken_served_file_is_told_before_anything_is_predicted(
    world: object, tmp_path: Path
) -> None:
    (tmp_path / "served.json").write_text("{")
    with pytest.raises(DataError, match="is not JSON"):
        evaluate(replace(world.config, {"served": tmp_path / "served.json"}), world.predict)
    assert world.calls == []


def test_models_with_new_thresholds_keep_their_checksums(evaluated: object) -> None:
    with pytest.raises(SchemaError, match="does not fit"):  # checksums pass; the toy weights do not
        load_model(evaluated.config.run / "models" / "sm")


def test_thresholds_on_positive_images_alone_are_not_written_as_those_of_all(
    world: object,
) -> None:
    folder = world.config.run / "models" / "fused"
    before = read_meta(folder)
    changes = {"models": ["fused"], "gallery": 0, "hit.min_radius_px": 1000}
    other = {"froc.operating_images": "positive"}
    page = evaluate(replace(world.config, {**changes, **other}), world.predict)
    after = read_meta(folder)
    points = {one.what for one in after.measured if one.what.startswith("sensitivity")}
    assert points == {"sensitivity at fppi_1 of positive images"}
    assert "<h2>At 1 false positive per image</h2>" in page.read_text()
    assert (after.thresholds, after.notes) == (before.thresholds, before.notes)


def test_another_hit_rule_is_named_beside_its_threshold(world: object) -> None:
    folder = world.config.run / "models" / "untrained"
    before = read_meta(folder)
    changes = {"models": ["untrained"], "gallery": 0, "hit.min_radius_px": 1000}
    evaluate(replace(world.config, changes), world.predict)
    assert "1000 px" in read_meta(folder).notes["threshold fppi_N is"]
    update_meta(folder, before)


def test_the_page_says_how_its_numbers_are_written(page: str) -> None:
    assert "rounded to the digits shown" in page


def test_the_reports_configs_name_no_folder(report: dict) -> None:
    assert not {"run", "data", "out", "served"} & report["config"].keys()
    assert report["training"]["config"] == {"seed": 5}
    assert report["training"]["record"]["versions"] == {"torch": "9.9"}


def test_the_report_counts_patients_and_pairs_of_every_split(report: dict) -> None:
    test, train = report["counts"]["test"], report["counts"]["train"]
    assert (test["patients"], test["measured_patients"], test["positive_patients"]) == (5, 5, 3)
    assert train == {"images": {}, "patients": 0}
    assert test["left_out"] == {"no prediction": 0, "malignant without a box": 0}


def test_the_alignment_of_the_pairs_is_in_the_report(report: dict) -> None:
    told = {"pairs": 9, "failed": 1, "dice_median": 0.95, "offset_median": 0.025}
    assert report["alignment"] == pytest.approx(told)


def test_what_is_not_measured_is_null_not_zero(report: dict) -> None:
    assert report["served"] is None


def test_a_second_report_predicts_nothing_anew(world: object) -> None:
    short = {"gallery": 0, "audit": False, "models": ["sm"], "bootstrap.replicates": 10}
    evaluate(replace(world.config, short), world.predict)
    evaluate(replace(world.config, {**short, "bootstrap.seed": 9}), world.predict)
    assert world.calls == ["sm"]
    assert read(world)["seeds"]["bootstrap"] == 9


def test_the_radius_rule_changes_the_answer(world: object) -> None:
    short = {"gallery": 0, "audit": False, "models": ["sm"], "bootstrap.replicates": 0}
    evaluate(replace(world.config, {**short, "hit.min_radius_px": 1000}), world.predict)
    assert read(world)["models"]["sm"]["fauc_1"] > 1 / 3  # now far marks reach a lesion
