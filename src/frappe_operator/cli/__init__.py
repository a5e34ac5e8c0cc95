"""The command line: `frappe-operator COMMAND`."""


def main() -> None:
    """Runs the command of `sys.argv` and exits the process with its exit code."""
    from frappe_operator.cli.commands import app

    app()
