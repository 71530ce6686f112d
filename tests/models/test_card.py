import yaml

from mgray.models.card import model_card
from mgray.models.config import DetectorConfig
from mgray.models.meta import Measured, ModelMeta

META = ModelMeta(kind="detector", inputs=("sm",), detector=DetectorConfig(weights="none"))


def card(**changes: object) -> str:
    return model_card(META.model_copy(update=changes), "abc")


def test_the_head_is_what_hugging_face_reads() -> None:
    measured = (Measured(what="fauc_1", where="test", value=0.5),)
    _, head, _ = card(licence="apache-2.0", measured=measured).split("---\n", 2)
    told = yaml.safe_load(head)
    assert told["license"] == "apache-2.0"
    assert told["pipeline_tag"] == "object-detection"
    assert told["metrics"] == ["fauc_1"]


def test_it_says_what_it_is_not_for() -> None:
    assert "Not intended: diagnosis" in card()
    assert "Research use only" in card()


def test_a_model_that_was_not_evaluated_says_so() -> None:
    assert "Not evaluated." in card()
    assert "Not measured." in card()


def test_figures_have_their_intervals() -> None:
    figure = Measured(what="auc", where="test, density d", value=0.75, ci95=(0.7, 0.8))
    assert "| auc | test, density d | 0.750 | 0.700 to 0.800 |" in card(measured=(figure,))


def test_thresholds_are_listed() -> None:
    assert "| threshold fppi_1 | 0.25 |" in card(thresholds={"fppi_1": 0.25})


def test_a_licence_that_forbids_publishing_is_in_bold() -> None:
    assert "**Do not publish these weights: EMBED forbids it.**" in card(data_licences=("EMBED",))


def test_unknown_licences_are_told_by_their_tags() -> None:
    assert "- unknown: " in card(data_licences=("unknown",))


def test_the_identity_of_the_weights_is_there() -> None:
    assert "| weights sha256 | abc |" in card()
