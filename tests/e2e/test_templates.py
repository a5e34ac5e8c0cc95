"""A site that comes when its bench has a template is copied from it, in pods and a MariaDB that are real."""

import pytest

from tests.e2e.namespace import Namespace

pytestmark = [pytest.mark.node]


def test_the_second_site_is_copied_and_its_own(namespace: Namespace) -> None:
    namespace.bench("quince", apps=[{"name": "erpnext"}])
    namespace.site("alder", "quince", "alder.example.com")
    namespace.until_ready("frappesite", "alder")

    def states() -> list[str]:
        return [each["state"] for each in namespace.get("fb", "quince")["status"].get("templates", [])]

    namespace.until(lambda: states() == ["Ready"], "the template to be made")
    namespace.site("beech", "quince", "beech.example.com")
    namespace.until_ready("frappesite", "beech")
    (outcome,) = [line["outcome"] for line in namespace.ledger("beech", "beech.example.com")]
    assert outcome.startswith("copied from template ")
    assert namespace.get("fs", "beech")["status"]["installedApps"] == ["frappe", "erpnext"]
    jobs = namespace.get("jobs", "--selector=vyogo.tech/site=beech")["items"]
    assert {job["metadata"]["name"] for job in jobs} == {"beech-database", "beech-create"}
    for site in ("alder", "beech"):
        visitor = namespace.visitor("quince", f"{site}.example.com")
        for other in ("alder", "beech"):
            login = {"usr": "Administrator", "pwd": namespace.password(other)}
            assert visitor.post("/api/method/login", login).status == (200 if site == other else 401)
