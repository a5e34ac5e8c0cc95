"""All mutants, by what the code with the bug in it does wrong."""

from tests.mutants import cache, order, ownership, process, status, tenants, user_data, work_queue
from tests.mutants.mutant import Mutant

MUTANTS: list[Mutant] = [
    mutant
    for part in (user_data, ownership, tenants, order, cache, work_queue, process, status)
    for mutant in part.MUTANTS
]
