"""Entry point of `python -m frappe_operator.cli`, which equals the command `frappe-operator`."""

from frappe_operator.cli import main

main()
