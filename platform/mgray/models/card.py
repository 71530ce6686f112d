"""The model card: ``README.md`` of a model folder, with a head that Hugging Face reads.

References:
    Mitchell et al., Model Cards for Model Reporting, arXiv:1810.03993.
"""

from collections.abc import Iterator
from typing import Any, Final

import yaml

from mgray.licence import TERMS
from mgray.models.meta import Measured, ModelMeta

KINDS: Final = {"sm": "synthetic 2D mammograms", "ffdm": "digital mammograms (FFDM)"}


def model_card(meta: ModelMeta, sha256: str) -> str:
    """Write the card.

    Args:
        meta: Of the folder.
        sha256: Of its weights.
    """
    head = yaml.safe_dump(_head(meta), sort_keys=False).strip()
    inputs = " and ".join(KINDS[kind] for kind in meta.inputs)
    lines = [
        *("---", head, "---", ""),
        f"# {meta.kind}: {meta.detector.name} on {' + '.join(meta.inputs)}",
        "",
        f"Finds lesions on {inputs}: boxes with a score for each of "
        f"{', '.join(meta.labels)}. For research; not a medical device.",
        "",
        *_use(inputs),
        *_section("Training data", _licences(meta)),
        *_section("Metrics", _metrics(meta)),
        *_section("Operating points", _thresholds(meta)),
        *_section("Limits", _limits(inputs)),
        *_section("Facts", _facts(meta, sha256)),
        "Load: `mgray.models.saved.load_model(folder)`; preprocessing is in config.json.",
    ]
    return "\n".join(lines) + "\n"


def _head(meta: ModelMeta) -> dict[str, Any]:
    return {
        "license": meta.licence,
        "library_name": "mgray",
        "pipeline_tag": "object-detection",
        "tags": ["mammography", "efficientdet", meta.kind, *meta.inputs],
        "metrics": sorted({one.what for one in meta.measured}),
    }


def _use(inputs: str) -> list[str]:
    return [
        "## Intended use",
        "",
        f"Research on detection in {inputs}: comparing methods, re-reading known exams, building "
        "on the weights. Not intended: diagnosis, triage or any decision about a person; images of "
        "another kind, of men, of children, or of breasts with implants.",
        "",
    ]


def _licences(meta: ModelMeta) -> Iterator[str]:
    """Say what the weights were trained on, and what its licences forbid."""
    if not meta.data_licences:
        return
    yield "Licences of the data it was trained on:"
    yield ""
    for tag in meta.data_licences:
        yield f"- {tag}: {TERMS[tag].text if tag in TERMS else tag}"
    known = [tag for tag in meta.data_licences if tag in TERMS]
    forbidding = [tag for tag in known if not TERMS[tag].share_models]
    if forbidding:
        yield ""
        yield f"**Do not publish these weights: {', '.join(forbidding)} forbids it.**"
    private = [tag for tag in known if not TERMS[tag].commercial]
    if private:
        yield ""
        yield f"Non-commercial use only, by {', '.join(private)}."


def _metrics(meta: ModelMeta) -> Iterator[str]:
    if not meta.measured:
        yield "Not evaluated."
        return
    yield "| metric | on | value | 95 % interval |"
    yield "|---|---|---|---|"
    for one in meta.measured:
        yield f"| {one.what} | {one.where} | {one.value:.3f} | {_interval(one)} |"


def _interval(one: Measured) -> str:
    return "" if one.ci95 is None else f"{one.ci95[0]:.3f} to {one.ci95[1]:.3f}"


def _thresholds(meta: ModelMeta) -> Iterator[str]:
    if not meta.thresholds:
        yield "Not measured."
        return
    yield "| false positives per image | score |"
    yield "|---|---|"
    for key, value in meta.thresholds.items():
        yield f"| threshold {key} | {value:.6g} |"


def _limits(inputs: str) -> Iterator[str]:
    yield "- Research use only. No regulator has seen it, and nobody has shown that it helps."
    yield f"- It was trained on {inputs} of the data above. On other machines, software versions"
    yield "  and populations its scores mean something else until they are measured there."
    yield "- Scores are not probabilities. Boxes say where to look; their absence means nothing."
    yield "- Phantoms, where they are the training data, say nothing about patients."


def _facts(meta: ModelMeta, sha256: str) -> Iterator[str]:
    yield "| | |"
    yield "|---|---|"
    facts = {"stage": meta.stage, "seed": str(meta.seed), "weights sha256": sha256, **meta.notes}
    for key, value in facts.items():
        yield f"| {key} | {value} |"


def _section(title: str, lines: Iterator[str]) -> list[str]:
    content = list(lines)
    return [f"## {title}", "", *content, ""] if content else []
