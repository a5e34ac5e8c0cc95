"""The program that runs in Frappe pods, mounted from a ConfigMap that contains its files.

Started as `env/bin/python /opt/frappe-operator COMMAND --flag=value …`; `commands.py` lists the commands and their
flags, and `report.py` documents the report in the termination log. It runs on the image's Python (3.10 to 3.14) with
the standard library only, and imports nothing else of the operator.
"""

from functools import cache
from importlib.resources import files as resources


def files() -> dict[str, str]:
    """The runner's files by name: the data of the ConfigMap that is mounted at /opt/frappe-operator."""
    return dict(_files())


@cache
def _files() -> dict[str, str]:
    # Each look at a bench asks for them.
    return {
        file.name: file.read_text(encoding="utf-8")
        for file in sorted(resources(__name__).iterdir(), key=lambda file: file.name)
        if file.name.endswith(".py") and file.name != "__init__.py"
    }
