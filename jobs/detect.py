"""Ask a running endpoint about DICOM files.

    python -m jobs.detect FILE... [endpoint=http://127.0.0.1:8000 format=json sr=DIR exam=true]

Prints each image's score and its boxes (x0 y0 x1 y1, pixels of the file) at the operating point.
The token is read from MGRAY_TOKEN_FILE or MGRAY_TOKEN. Exit code 1 if the endpoint refused a file.

Keys:
"""

import json
from itertools import takewhile

from mgray.cli import field_help, guard, parse
from mgray.recipes.detect import DetectConfig


def run(words: list[str]) -> int:
    """Take the bare first words as files, and ask."""
    from mgray.recipes.detect import run_detect

    files = list(takewhile(lambda word: "=" not in word and not word.startswith("--"), words))
    given = [f"files={json.dumps(files, ensure_ascii=False)}"] if files else []
    return run_detect(parse(DetectConfig, [*given, *words[len(files) :]]))


if __name__ == "__main__":
    guard(__doc__ or "", run, field_help(DetectConfig))
