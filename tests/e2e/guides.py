"""The commands of the guides for upgrades and apps, run as a reader would: in a shell, with kubectl in the namespace.

The tests that need a command take it from the guide. `RUN` lists all of them; tests/docs/test_guides.py compares it
with the guides.
"""

import re
import subprocess
from pathlib import Path

from tests.e2e.namespace import Namespace

DOCS = Path(__file__).parents[2] / "docs"
BENCH, SITE = "production-bench", "acme"
"""The bench and the site in the commands."""

UPGRADES, APPS = "upgrades.md", "apps.md"
CHANGE_IMAGE, WATCH, CAUSE, RETRY = "frappeVersion", "{.status.upgrade}", "kubectl logs", "retry-upgrade"
BUILD_AGAIN, TAKE_FROM_LIST, CONFIRM = "build-apps", '"apps"', "confirm-uninstall"
RUN = {UPGRADES: [CHANGE_IMAGE, WATCH, CAUSE, RETRY], APPS: [BUILD_AGAIN, TAKE_FROM_LIST, CONFIRM]}
"""By guide: words of each of its blocks of commands, in their order."""

DOCUMENTED_IMAGE = "v15.52.0"


def blocks(guide: str) -> list[str]:
    """The blocks of commands in a guide."""
    text = (DOCS / guide).read_text(encoding="utf-8")
    return re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def run(namespace: Namespace, guide: str, words: str, image: str = DOCUMENTED_IMAGE) -> str:
    """Runs the block of a guide that has these words, and returns what it prints. Fails when a command does.

    `image`: the tag in place of the one in the guide.
    """
    (block,) = (each for each in blocks(guide) if words in each)
    kubectl = namespace.kubectl.argv(f"--namespace={namespace.name}")
    script = f'set -e\nkubectl() {{ command {" ".join(kubectl)} "$@"; }}\n' + block.replace(DOCUMENTED_IMAGE, image)
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{guide}: {block}\n{done.stderr}"
    return done.stdout
