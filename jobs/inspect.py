"""Show how one DICOM file is understood, step by step, and why it would be refused.

    python -m jobs.inspect FILE.dcm
    python -m jobs.inspect FILE.dcm out=PICTURE.png

Prints syntax, kind, side and view with their evidence, the way from stored to display values, and
where the breast is; draws stored values beside display values with the breast's box. No id, date or
name is printed; the picture shows the image itself. Exit code 3 if the file would be refused.

Keys:
"""

from mgray.cli import main
from mgray.ingest.explain import Explanation, InspectConfig


def run(config: InspectConfig) -> int:
    """Explain a file; draw it if it can be decoded and a picture is wanted."""
    from mgray.ingest.explain import explain, save_picture

    made = explain(config)
    show(made)
    if config.out is not None and made.record is not None:
        save_picture(made.record, config.out)
        print(f"{'picture':<16}{config.out}")
    return 3 if made.refused else 0


def show(made: Explanation) -> None:
    """Print one line for each step, and the verdict."""
    for name, told in made.steps:
        print(f"{name:<16}{told}")
    refused = made.refused
    print(f"{'verdict':<16}{f'refused, {refused.reason}: {refused}' if refused else 'a row'}")


if __name__ == "__main__":
    main(__doc__, InspectConfig, run, "file")
