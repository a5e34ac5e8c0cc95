"""What this app answers."""

import hrms


def version(_call: object) -> dict[str, str]:
    """Which copy of the app answers."""
    return {"version": hrms.__version__, "file": __file__}
