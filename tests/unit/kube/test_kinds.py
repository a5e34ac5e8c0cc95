"""API paths and references of objects."""

import pytest

from frappe_operator.api.kinds import ALL, SITE
from frappe_operator.kube.kinds import DEPLOYMENT, POD, STORAGE_CLASS, ref_of


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (POD.path(), "/api/v1/pods"),
        (POD.path("harbour"), "/api/v1/namespaces/harbour/pods"),
        (SITE.path("harbour", "pearl"), "/apis/vyogo.tech/v1alpha1/namespaces/harbour/frappesites/pearl"),
        (SITE.path("a", "b", "status"), "/apis/vyogo.tech/v1alpha1/namespaces/a/frappesites/b/status"),
        (STORAGE_CLASS.path("ignored", "fast"), "/apis/storage.k8s.io/v1/storageclasses/fast"),
    ],
)
def test_a_kind_knows_its_paths(path: str, expected: str) -> None:
    assert path == expected


def test_a_manifest_says_which_object_it_is() -> None:
    ref = ref_of({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "a", "name": "b"}})
    assert (ref.kind, ref.namespace, ref.name) == (DEPLOYMENT, "a", "b")
    assert str(ref) == "Deployment b"
    own = ref_of({"apiVersion": SITE.api_version, "kind": "FrappeSite", "metadata": {"namespace": "a", "name": "b"}})
    assert own.kind is SITE
    assert len(ALL) == len({(kind.group, kind.plural) for kind in ALL.values()})
