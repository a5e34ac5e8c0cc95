"""`python -m frappe_operator.cli`: the same as the command `frappe-operator`."""

from frappe_operator.cli import main

main()
