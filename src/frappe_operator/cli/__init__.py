"""The command line: `frappe-operator COMMAND`."""


def main() -> None:
    """Runs the command that the command line names, and ends the process with its exit code."""
    from frappe_operator.cli.commands import app

    app()
