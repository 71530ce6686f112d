"""Take mammograms by C-STORE, have the endpoint answer, and store the reports by STOW-RS.

    python -m jobs.listen results=http://127.0.0.1:8042/dicom-web [endpoint=URL port=11112]

A process of its own, beside the endpoint. The sender is told success when the report is stored.

Keys:
"""

from mgray.cli import main
from mgray.recipes.listen import ListenConfig


def run(config: ListenConfig) -> None:
    """Listen until Ctrl-C."""
    from mgray.recipes.listen import run_listen

    run_listen(config)


if __name__ == "__main__":
    main(__doc__, ListenConfig, run)
