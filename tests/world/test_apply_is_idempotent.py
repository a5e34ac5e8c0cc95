"""A second apply of the children of any accepted spec changes nothing: the server stores them as they are written."""

from hypothesis import HealthCheck, Phase, assume, given, settings

from fakecluster.apiserver.verbs import Api
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.cli.validate import validate
from frappe_operator.kube.kinds import ref_of
from frappe_operator.kube.objects import Manifest
from frappe_operator.runtime.drift import difference
from tests.unit.cli import specs
from tests.unit.cli.test_any_spec import EXAMPLES, built, document


@settings(
    # Each takes as long as thirty that are only built.
    max_examples=EXAMPLES // 10,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[*HealthCheck],
)
@given(bench=specs.BENCHES, site=specs.SITES)
def test_a_second_apply_of_what_is_accepted_changes_nothing(bench: Manifest, site: Manifest) -> None:
    documents = [document(BENCH, "pier", bench), document(SITE, "pearl", site)]
    assume(site["benchRef"] == {"name": "pier"} and not validate(documents, "default").problems)
    api = Api(lambda: 0.0)
    api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}})
    for made in built(documents).values():
        manifest = {**made, "metadata": {n: v for n, v in made["metadata"].items() if n != "ownerReferences"}}
        manifest["metadata"]["namespace"] = "default"
        ref = ref_of(manifest)
        stored = api.apply(manifest, "us")[0].obj
        assert difference({**manifest, "stringData": {}}, stored) == "", ref
        assert amounts(manifest) == amounts(stored), "spelt as they are stored"
        version = stored["metadata"]["resourceVersion"]
        assert api.apply(manifest, "us")[0].obj["metadata"]["resourceVersion"] == version, ref


def amounts(value: object) -> list[object]:
    """All that a manifest says of resources."""
    if isinstance(value, list):
        return [found for each in value for found in amounts(each)]
    if not isinstance(value, dict):
        return []
    here = [value[name] for name in ("requests", "limits") if value.get(name)]
    return here + [found for inner in value.values() for found in amounts(inner)]
