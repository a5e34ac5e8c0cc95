"""Whatever goes wrong, wherever: the end is the same, each once-only effect happened once, and then all is quiet.

- `scenarios`: what people do. `learn`: plans, from a play in which nothing goes wrong. `plan`: one line of JSON.
- `play`: plays them in a `World`. `witness`: what there was to see. `oracles`: what must be so.
- `real` (its parts: `lives`, `places`, `onlookers`, `sights`): the same against the real API server and its
  controllers. `chosen`: which plans.
- `python -m tests.faults` (`make faults`) plays them all; with `--plan`, one, and tells what happened.

`test_regressions` keeps the plans that have found something.
"""
