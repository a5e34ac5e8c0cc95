"""All mutants."""

from tests.mutants import building, deciding, in_pods, keeping, reaching, seeing, taking_turns, telling, writing
from tests.mutants.mutant import Mutant

MUTANTS: list[Mutant] = [
    mutant
    for theme in (writing, seeing, taking_turns, reaching, telling, keeping, deciding, building, in_pods)
    for mutant in theme.MUTANTS
]
