"""From nothing to a site that answers: what `make demo` runs."""

from pathlib import Path

STAGES = sorted((Path(__file__).parent / "stages").glob("*.yaml"))
"""Of simulated nodes: what the Job says that looks into an image."""
