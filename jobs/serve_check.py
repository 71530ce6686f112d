"""Check a running endpoint from outside: health, token, limits, the answer to a reference image.

    python -m jobs.serve_check URL [token_file=FILE model=MODEL_FOLDER limits=true]

Prints a line for each check; the exit code is 1 if one failed.

Keys:
"""

from mgray.cli import main
from mgray.recipes.serve_check import ServeCheckConfig, run_serve_check

if __name__ == "__main__":
    main(__doc__, ServeCheckConfig, run_serve_check, "url")
