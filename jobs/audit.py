"""Tell which printed rates can come from one test set, and from which.

    python -m jobs.audit TABLE.csv [by=target most=1000]

A rate with three digits is a fraction of whole cases, and rows of one table share the numbers of
cases. Finds them, rows that contradict the others, and exchanged or misprinted rates. Exit code 1
if the rates are not jointly attainable or not with the numbers stated.

Keys:
"""

from mgray.cli import main
from mgray.reports.config import AuditConfig


def run(config: AuditConfig) -> int:
    """Audit, print a line for each finding."""
    from mgray.reports.printed import audit_file

    clean, lines = audit_file(config)
    print("\n".join(lines))
    return 0 if clean else 1


if __name__ == "__main__":
    main(__doc__, AuditConfig, run, "table")
