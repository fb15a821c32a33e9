# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`./dev bench NAME`: which benchmark, and its options."""

from __future__ import annotations

import sys

from tests.benchmarks import disk, drift, ec2, inventory

BENCHMARKS = {"disk": disk.main, "drift": drift.main, "ec2": ec2.main, "inventory": inventory.main}


def main(arguments: list[str]) -> int:
    """Run one benchmark; 2 if there is none of that name."""
    if not arguments or arguments[0] not in BENCHMARKS:
        print(f"bench: choose one of {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    BENCHMARKS[arguments[0]](arguments[1:])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
