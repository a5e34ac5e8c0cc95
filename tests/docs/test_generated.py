"""Files that `make manifests` writes are up to date and complete."""

import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.cli.commands import app
from frappe_operator.kube.kinds import Kind
from frappe_operator.model.conditions import SiteCondition
from scripts import reference
from tests.unit.components.restricted import broken

FILES = reference.files()
DEPLOY = reference.ROOT / "deploy"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_derived_files_are_up_to_date(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == FILES[path], "run `make manifests`"


@pytest.mark.parametrize(
    ("kind", "probed"),
    [(BENCH, ()), (SITE, (SiteCondition.ROUTED, SiteCondition.SERVING))],
    ids=["FrappeBench", "FrappeSite"],
)
def test_every_condition_has_its_sentence_in_the_order_of_the_stages(kind: Kind, probed: tuple[str, ...]) -> None:
    _, stages = reference.stages(kind)
    conditions = [*(stage.condition for stage in stages), *probed]
    assert list(dict.fromkeys(conditions)) == list(reference.CONDITIONS[kind])


def test_the_deployment_passes_the_profile_that_its_namespace_enforces() -> None:
    namespace, deployment = yaml.safe_load_all((DEPLOY / "operator.yaml").read_text())
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert list(broken(deployment["spec"]["template"]["spec"])) == []


def test_the_deployment_runs_as_the_account_that_has_the_rights() -> None:
    account = next(
        each for each in yaml.safe_load_all((DEPLOY / "rbac.yaml").read_text()) if each["kind"] == "ServiceAccount"
    )
    _, deployment = yaml.safe_load_all((DEPLOY / "operator.yaml").read_text())
    assert deployment["metadata"]["namespace"] == account["metadata"]["namespace"]
    assert deployment["spec"]["template"]["spec"]["serviceAccountName"] == account["metadata"]["name"]


def test_the_deployment_sets_only_options_of_the_command() -> None:
    options = set(re.findall(r"FRAPPE_OPERATOR_[A-Z_]+", CliRunner().invoke(app, ["run", "--help"]).output))
    _, deployment = yaml.safe_load_all((DEPLOY / "operator.yaml").read_text())
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["run"]
    used = {each["name"] for each in container["env"] if each["name"].startswith("FRAPPE_OPERATOR_")}
    assert used
    assert used <= options
