"""Known bugs, planted to show that the tests catch them: a suite that cannot fail proves nothing.

Each mutant is one change of one function: a bug that somebody shipped, or would have shipped here. They guard users'
data, ownership, order, and what the runtime promises. `make mutants` plants one after the other in a copy of the
repository and runs the tests that must fail.

- `mutant`: what a mutant is, and the file with the bug in it. `changes`: the ways in which a function can be wrong.
- `catalogue`: all of them, by what goes wrong (`user_data`, `ownership`, `tenants`, `order`, `cache`, `work_queue`,
  `process`, `status`).
- `repository_copy`: where it is planted. `trial`: one run of tests there, judged. `pytest_plugin`: observes that run.
- `test_mutants`: each still fits the code and is a program. `test_trials`: a few are tried, and some that are no bugs.

A mutant refers to the function itself and finds its place in it by the names that occur there: it survives reformatting
and moves, and is renamed with the code. One that does not fit any more is a failure that says so.
"""
