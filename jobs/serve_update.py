"""Let another version of a model answer, after it was tested on a reference image.

    python -m jobs.serve_update models=DIR name=fused version=2 source=MODEL_FOLDER url=URL

Without source= the version is one that is there already: that is how to go back. A version that
cannot be loaded, or answers wrongly, is refused, and the one before stays.

Keys:
"""

from mgray.cli import main
from mgray.recipes.serve_update import ServeUpdateConfig, run_serve_update

if __name__ == "__main__":
    main(__doc__, ServeUpdateConfig, run_serve_update)
