"""Golden cases: inputs, and the YAML that `frappe-operator render` makes of them.

The case `minimal` is kept in full (`expected.yaml`); every other case is kept as its difference from it
(`expected.diff`), so that a reader sees what a field does and a change of all children is reviewed once.

- `cases`: the cases and how they are rendered. `difference`: how a case is compared with the base.
- `python -m tests.golden`: shows a case in full and as a difference, or writes all expected files anew.
"""
