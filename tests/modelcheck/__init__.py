"""Every order of events for a small product: breadth-first over all that can happen between two requests.

The real runtime decides (`apply`, `report`, finalizers, the reconcile, the queue, the stores): its coroutines are
stepped by hand, one request at a time. Between any two steps the operator may die, a response may be lost, a watch may
be behind, people may edit and delete, and the cluster's controllers may act.

- `minimal_controller`: a product with a child of every sort. `objects`: versions of its objects. `server`: what a
  request does to them.
- `kernel`: runs the operator from one of its states to the next. `transitions`: those states, each run once.
- `state`: a state of everything. `environment`: what everybody but the operator does. `model`: all that may happen.
- `properties`: what must never be, and how it must be in the end. `scenarios`: what the search begins with.
- `search`: breadth-first, and from each state a fair run. `python -m tests.modelcheck` runs it all.
"""
