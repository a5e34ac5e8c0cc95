"""Every order of things, for a product small enough: breadth-first over all that can happen between two steps.

The real kernel decides (`apply`, `report`, `finalizers`, `look`, the queue, the stores): its coroutines are stepped by
hand, one request at a time. Between any two steps the operator may die, an answer may be lost, a watch may be behind,
people may edit and delete, and the cluster's controllers may act.

- `toy`: a product with a child of every sort. `objects`: versions of its objects. `server`: what a request does.
- `kernel`: the operator from one of its states to the next, by running it. `memory`: those states, each run once.
- `moment`: a state of everything. `others`: what everybody but the operator does. `model`: all that may happen.
- `properties`: what must never be, and how it must be in the end. `scenarios`: what the search begins with.
- `search`: breadth-first, and from each state a fair run. `python -m tests.modelcheck` runs it all.
"""
