"""Every YAML example in the repository is valid, resolves, and is accepted by the real API server, as are its
children."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from frappe_operator.cli import source
from frappe_operator.cli.declared import Declared
from frappe_operator.cli.render import render
from frappe_operator.cli.validate import validate
from frappe_operator.model.settings import Images
from sandbox.cluster import Cluster
from sandbox.installation import RESTRICTED, Kubectl
from tests import definitions
from tests.docs.specification import OF_BENCH, OF_BOTH, OF_SITE, WHOLE

ROOT = Path(__file__).parents[2]
NAMESPACE = "shown"
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
CASES = sorted((ROOT / "tests" / "golden").glob("*/input.yaml"))


def merged(whole: dict[str, Any], fragment: dict[str, Any]) -> dict[str, Any]:
    """A whole object with a fragment put into it."""
    return {
        name: merged(whole.get(name, {}), value) if isinstance(value, dict) else value
        for name, value in {**whole, **fragment}.items()
    }


def shown() -> Iterator[tuple[str, str]]:
    """Every YAML example, with its location."""
    for path in EXAMPLES:
        yield f"examples/{path.name}", path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))):
        blocks = re.findall(r"^```yaml\n(.*?)^```", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
        for number, block in enumerate(blocks):
            yield f"{path.relative_to(ROOT)} {number + 1}", block
    bench, site = (yaml.safe_load(WHOLE[name]) for name in ("bench", "site"))
    for name in WHOLE:
        yield f"specification: {name}", WHOLE[name]
    for whole, fragments in ((bench, {**OF_BENCH, **OF_BOTH}), (site, {**OF_SITE, **OF_BOTH})):
        for name, fragment in fragments.items():
            text = yaml.safe_dump(merged(whole, yaml.safe_load(fragment)))
            yield f"specification: {name} of a {whole['kind']}", text


SHOWN = dict(shown())


@pytest.mark.parametrize("where", SHOWN)
def test_examples_are_valid(where: str, tmp_path: Path) -> None:
    path = tmp_path / "shown.yaml"
    path.write_text(SHOWN[where], encoding="utf-8")
    assert validate(source.read(str(path)), "default").problems == []


@pytest.fixture(scope="session")
def kubectl(control_plane: Cluster) -> Kubectl:
    kubectl = Kubectl.of(control_plane)
    definitions.install(control_plane, gateway_api=True, cert_manager=True)
    for name in (NAMESPACE, "frappe-operator", "gateways"):
        kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}})
    return kubectl


def accepted(kubectl: Kubectl, text: str) -> int:
    """Validates objects with a strict dry run on the API server, without warnings. Returns the number of accepted
    objects."""
    argv = kubectl.argv(
        "apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-"
    )
    done = subprocess.run(argv, input=text, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return len(done.stdout.splitlines())


@pytest.mark.cluster
@pytest.mark.parametrize("where", SHOWN)
def test_examples_are_accepted_by_the_api_server(kubectl: Kubectl, where: str) -> None:
    assert accepted(kubectl, SHOWN[where]) == len(list(yaml.safe_load_all(SHOWN[where])))


@pytest.mark.cluster
@pytest.mark.parametrize("path", [*EXAMPLES, *CASES], ids=lambda path: str(path.relative_to(ROOT)))
def test_children_are_accepted_by_the_api_server(kubectl: Kubectl, path: Path, tmp_path: Path) -> None:
    """In a namespace with warnings for violations of the restricted profile."""
    here = tmp_path / "here.yaml"
    here.write_text(path.read_text(encoding="utf-8").replace("harbour", NAMESPACE), encoding="utf-8")
    children = "".join(render(Declared(source.read(str(here)), NAMESPACE, Images())))
    assert accepted(kubectl, children) == len(list(yaml.safe_load_all(children)))


@pytest.mark.cluster
@pytest.mark.parametrize("name", ["crds.yaml", "rbac.yaml", "operator.yaml"])
def test_the_manifests_to_install_are_accepted_by_the_api_server(kubectl: Kubectl, name: str) -> None:
    assert accepted(kubectl, (ROOT / "deploy" / name).read_text(encoding="utf-8"))
