"""`python -m tests.golden`: shows the cases, or writes what is expected of them anew.

python -m tests.golden                the names of the cases
python -m tests.golden show CASE      everything the case renders, then how it differs from the base
python -m tests.golden update         writes all expected files (`make golden`); read the difference, then commit
python -m tests.golden release        makes the pod templates of now those that a later version must not change
"""

import sys
from collections.abc import Sequence

from tests.golden import released
from tests.golden.cases import BASE, CASES, OTHERS, expected, rendered
from tests.golden.difference import difference


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code."""
    match arguments:
        case []:
            print(*CASES, sep="\n")
        case ["show", case] if case in CASES:
            print(rendered(case))
            if case != BASE:
                print(f"# How {case} differs from {BASE}:\n{difference(rendered(BASE), rendered(case))}")
        case ["update"]:
            base = rendered(BASE)
            expected(BASE).write_text(base, encoding="utf-8")
            for case in OTHERS:
                expected(case).write_text(difference(base, rendered(case)), encoding="utf-8")
        case ["release"]:
            released.write()
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
