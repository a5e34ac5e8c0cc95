"""Known bugs, kept to show that the tests catch them: a suite that cannot fail proves nothing.

Each mutant is one change of one file: a bug that somebody shipped, or would have shipped here. `make mutants` plants
one after the other in a copy of the repository and runs the tests that must notice.

- `mutant`: what a mutant is, and how it is found to be stale. `catalogue`: all of them, by theme (`writing` …).
- `tree`: the copy. `trial`: one run of tests in it, judged. `witness`: watches a run from the inside.
- `test_mutants`: each still fits the code and is a program. `test_trials`: a few are tried, and some that are no bugs.

A mutant that no longer fits is stale, which is a failure: whoever changes the code changes the mutant with it.
"""
