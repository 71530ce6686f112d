"""An answer as the documentation shows it."""

from typing import Any, Final

_FOUND: Final = {
    "box": [412.5, 880.25, 530.0, 1001.5],
    "box_mm": [41.25, 88.025, 53.0, 100.15],
    "score": 0.83,
    "label": "malignant",
}
ANSWER: Final[dict[str, Any]] = {
    "exam": {
        "score": 0.83,
        "breasts": [{"laterality": "L", "score": 0.83, "images": [0]}],
        "warnings": [],
    },
    "images": [
        {
            "image": {
                "rows": 2560,
                "columns": 2048,
                "pixel_spacing_mm": [0.1, 0.1],
                "kind": "synthetic_2d",
                "laterality": "L",
                "view": "MLO",
                "view_modifiers": [],
            },
            "score": 0.83,
            "detections": [_FOUND],
            "warnings": [{"code": "implant", "detail": "implant"}],
            "preprocessing": {
                "crop": [0.0, 210.0, 1180.0, 2330.0],
                "mirrored": False,
                "inverted": False,
                "window": {"center": 512.0, "width": 1024.0, "function": "LINEAR"},
                "net_size": [1024, 832],
            },
            "timing_ms": {"decode": 64.0, "detect": 511.0},
        }
    ],
    "model": {
        "id": "fused",
        "version": "3f2a90c1d4e5",
        "sha256": "3f2a90c1d4e5" + "0" * 52,
        "config_fingerprint": "a1b2c3d4e5f6",
    },
    "thresholds": {"0.25": 0.91, "0.5": 0.83, "1": 0.71, "2": 0.5},
    "timing_ms": {"read": 3.0, "total": 580.0},
}
