"""Show everything on this machine: archive, table, training, report, endpoint; about 15 minutes.

    python -m jobs.demo [out=runs/demo exams=150 once=true]

Keys:
"""

import sys

from mgray.cli import main
from mgray.recipes.demo import DemoConfig, run_demo

if __name__ == "__main__":
    sys.argv = ["once=true" if word == "--once" else word for word in sys.argv]
    main(__doc__, DemoConfig, run_demo)
