"""One evaluation from end to end: predictions, numbers, figures, galleries, two files."""

import json
import logging
from collections import Counter
from pathlib import Path
from typing import Any, Final

import numpy as np

from mgray.config import fingerprint
from mgray.data.table import ImageTable
from mgray.metrics.config import FrocConfig
from mgray.metrics.hits import rule_text
from mgray.models.folder import read_meta, update_meta
from mgray.models.meta import FPPI
from mgray.reports.audit import NO_AUDIT, Audit, audit_pairs
from mgray.reports.calibrated import reliability_drawing
from mgray.reports.carded import save_measured
from mgray.reports.cases import Cases, build_cases
from mgray.reports.classified import classification
from mgray.reports.config import EvaluateConfig
from mgray.reports.figures import audit_drawing, curves_drawing, froc_drawing
from mgray.reports.gallery import build_galleries
from mgray.reports.html import Page, render
from mgray.reports.predictions import Predict, collect_predictions, licences
from mgray.reports.printed import check_shares, printed_decisions, printed_shares
from mgray.reports.run import run_facts, settings, versions
from mgray.reports.served import read_served
from mgray.reports.summary import (
    complementarity,
    operating_facts,
    strict,
    summarise_split,
    thresholds,
    verdict,
)

REPORT_VERSION: Final = 1
log = logging.getLogger(__name__)


def evaluate(config: EvaluateConfig, predict: Predict | None = None) -> Path:
    """Evaluate a run's models and write ``report.json`` and ``report.html``.

    The operating thresholds are also written into the run's model folders, for serving.

    Args:
        config: What to evaluate.
        predict: See ``collect_predictions``.

    Returns:
        The HTML page.
    """
    served = config.served and read_served(config.served)
    table = ImageTable.open(config.data)
    predictions = collect_predictions(config, predict)
    splits: dict[str, Cases] = {
        split: build_cases(table, predictions, split, config.hit)
        for split in sorted({"val", config.split})
    }
    limits = thresholds(splits["val"], config)
    log.info("bootstrap: %d resamples of patients", config.bootstrap.replicates)
    facts = build_facts(table, splits, limits, config) | {"served": served}
    facts["licence_tags"] = list(licences(config))
    save_thresholds(config, splits["val"])
    save_measured(config, facts["models"])
    main = splits[config.split]
    audit = audit_pairs(config.data, main.pairs) if config.audit else NO_AUDIT
    facts["alignment"] = _audit_facts(audit)
    check_shares(printed_shares(facts["models"]), digits=2)
    check_shares(printed_decisions(facts["classification"]["models"]), digits=2)
    page = Page(
        facts=facts,
        froc=froc_drawing(main, config.bootstrap, config.froc.interpolation),
        reliability=reliability_drawing(facts["classification"]),
        curves=curves_drawing(config.run),
        audit=audit_drawing(audit),
        galleries=build_galleries(table, main, limits, config.gallery, config.seed),
    )
    (config.out / "report.json").write_text(json.dumps(facts, indent=2, allow_nan=False) + "\n")
    path = config.out / "report.html"
    path.write_text(render(page), encoding="utf-8")
    log.info("%s", facts["verdict"])
    return path


def build_facts(
    table: ImageTable, splits: dict[str, Cases], limits: dict[str, float], config: EvaluateConfig
) -> dict[str, Any]:
    """Everything in ``report.json`` that the predictions decide."""
    summaries = {split: summarise_split(cases, config) for split, cases in splits.items()}
    main, cases = summaries[config.split], splits[config.split]
    at_limit = operating_facts(cases, limits, config.froc.interpolation)
    facts = {
        "report_version": REPORT_VERSION,
        "split": config.split,
        "verdict": verdict(strict(main)),
        "rule": rule_text(config.hit),
        "models": {
            name: {**values, **at_limit[name], "boxes_on": cases.kinds[name]}
            | {"val": summaries["val"]["models"][name]}
            for name, values in main["models"].items()
        },
        **{key: value for key, value in main.items() if key != "models"},
        "val": {key: value for key, value in summaries["val"].items() if key != "models"},
        "complementarity": complementarity(cases, limits),
        "classification": classification(cases, splits["val"], config.seed),
        "counts": _counts(table, splits),
        "served": None,
        "config": settings(config.model_dump(mode="json")),
        "config_fingerprint": fingerprint(config),
        "training": run_facts(config.run),
        "versions": versions(),
        "seeds": {
            "bootstrap": config.bootstrap.seed,
            "galleries": config.seed,
            "folds": config.seed,
        },
    }
    return dict(strict(facts))


def save_thresholds(config: EvaluateConfig, val: Cases) -> None:
    """Write each model's operating thresholds, and how they were read, into the model's folder.

    ``FPPI`` speaks of all images; where the report's point is on positive ones none is written.
    """
    if config.froc.operating_images != FrocConfig().operating_images:
        return
    how = f"false positives per image on all images of val; {rule_text(config.hit)}"
    found = {key: thresholds(val, config, fppi) for fppi, key in FPPI.items()}
    for name in val.outcomes:
        folder = config.run / "models" / name
        meta = read_meta(folder)
        told = {
            "thresholds": meta.thresholds | {key: limits[name] for key, limits in found.items()},
            "notes": {**meta.notes, "threshold fppi_N is": f"N {how}"},
        }
        if (meta.thresholds, meta.notes) != (told["thresholds"], told["notes"]):
            update_meta(folder, meta.model_copy(update=told))


def _counts(table: ImageTable, splits: dict[str, Cases]) -> dict[str, Any]:
    columns = table.index.select(["split", "patient_id", "image_kind"]).to_pylist()
    images = Counter((row["split"], row["image_kind"]) for row in columns)
    patients = {(row["split"], row["patient_id"]) for row in columns}
    rows: dict[str, Any] = {}
    for split in ("train", "val", "test"):
        kinds = {kind: n for (where, kind), n in sorted(images.items()) if where == split}
        rows[split] = {"images": kinds, "patients": sum(where == split for where, _ in patients)}
        if split in splits:
            rows[split] |= _split_counts(splits[split])
    return rows


def _split_counts(cases: Cases) -> dict[str, Any]:
    return {
        "pairs": len(cases.pairs),
        "positive_pairs": int(cases.positive.sum()),
        "measured_patients": len(cases.patients.positive),
        "positive_patients": int(cases.patients.positive.sum()),
        "left_out": cases.left_out,
    }


def _audit_facts(audit: Audit) -> dict[str, Any]:
    found = len(audit.dice) > 0
    return {
        "pairs": len(audit.dice),
        "failed": audit.failed,
        "dice_median": float(np.median(audit.dice)) if found else None,
        "offset_median": float(np.median(audit.offset)) if found else None,
    }
