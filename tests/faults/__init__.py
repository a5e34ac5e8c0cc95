"""Faults at every request of every scenario: the final objects are those of a run without faults, each effect that must
happen once has happened once, and nothing is written afterwards.

- `scenarios`: what users do. `generate_plans`: plans, generated from a run without faults. `plan`: one line of JSON.
- `run_plans`: runs plans in a `World`. `evidence`: what is recorded of a run. `oracles`: what must hold after each run.
- `run_on_cluster` (its parts: `operator_process`, `real_namespace`, `recording`, `cluster_observer`): the same against
  the real API server and its controllers. `real_plans`: which plans are run there.
- `python -m tests.faults` (`make faults`) runs them all; with `--plan`, one, and prints what happened.

`test_regressions` keeps the plans that have found something.
"""
