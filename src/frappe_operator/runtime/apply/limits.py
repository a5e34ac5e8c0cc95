"""Children of which not everything can change once they exist: claims, and StatefulSets with the claims they make.

What can change is applied; what cannot is said in a sentence. A StatefulSet whose claim templates must follow is made
again: it is deleted without its pods, and the new one takes them up.
"""

from typing import NamedTuple

import structlog

from frappe_operator.kube import claims
from frappe_operator.kube.kinds import PVC, STATEFUL_SET, Manifest, ref_of
from frappe_operator.runtime.client.errors import Forbidden, Invalid
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.drift import difference, stale_field

log = structlog.get_logger(__name__)

KINDS = (PVC, STATEFUL_SET)
TEMPLATES = "volumeClaimTemplates"


class Limits(NamedTuple):
    """What can be done about one child."""

    manifest: Manifest
    """What is wanted, as far as it can be."""
    obstacle: str = ""
    """What cannot be, and what to write instead."""
    remade: bool = False
    """The child was deleted, so that it can be made as it is wanted."""
    without_growth: Manifest | None = None
    """What to apply where the server does not let the claim grow."""
    no_expansion: str = ""
    """What to say then."""


async def within(cluster: Cluster, wanted: Manifest, body: Manifest, owner: str) -> Limits:
    """What can become of the child `body`, as it is now. `owner`: the kind of its owner, for the sentences."""
    if ref_of(wanted).kind == PVC:
        return _claim(wanted, body, owner)
    return await _stateful_set(cluster, wanted, body, owner)


def _claim(wanted: Manifest, body: Manifest, owner: str) -> Limits:
    spec, has, name = wanted["spec"], body["spec"], str(ref_of(wanted))
    keeps_class = "storageClassName" not in spec and stale_field(wanted, body) == "spec.storageClassName"
    bound = body.get("status", {}).get("phase") == "Bound"
    possible = claims.possible(spec, has, bound=bound, keeps_class=keeps_class)
    obstacle = claims.obstacle(name, spec, has, owner)
    limits = Limits({**wanted, "spec": possible}, obstacle)
    if claims.size(possible) <= claims.size(has):
        return limits
    same = {**possible, "resources": claims.with_storage(possible, claims.storage(has))}
    refused = claims.no_expansion(name, spec, has, owner)
    return limits._replace(without_growth={**wanted, "spec": same}, no_expansion=refused)


async def _stateful_set(cluster: Cluster, wanted: Manifest, body: Manifest, owner: str) -> Limits:
    templates, has = wanted["spec"].get(TEMPLATES, []), body["spec"].get(TEMPLATES, [])
    # Sent as they are: the server takes nothing else.
    spec = {name: value for name, value in wanted["spec"].items() if name != TEMPLATES}
    possible = {**wanted, "spec": {**spec, TEMPLATES: has} if has else spec}
    if not difference(templates, has) and len(templates) == len(has):
        return Limits(possible)
    namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
    for template in templates:
        for ordinal in range(body["spec"].get("replicas", 1)):
            claim = f"{template['metadata']['name']}-{name}-{ordinal}"
            if obstacle := await _follow(cluster, namespace, claim, template["spec"], owner):
                return Limits(possible, obstacle)
    log.info("made again for its claim templates, its pods stay", statefulset=name, namespace=namespace)
    await cluster.delete(STATEFUL_SET, namespace, name, body["metadata"]["uid"], propagation="Orphan")
    return Limits(possible, remade=True)


async def _follow(cluster: Cluster, namespace: str, name: str, wanted: Manifest, owner: str) -> str:
    """Makes a StatefulSet's claim what its template is to be. What stands in the way, empty when nothing does."""
    body = await cluster.read(PVC, namespace, name)
    if body is None:
        return ""
    has, claim = body["spec"], f"PersistentVolumeClaim {name}"
    obstacle = claims.obstacle(claim, wanted, has, owner)
    if obstacle or claims.size(wanted) <= claims.size(has):
        return obstacle
    asked = {"resources": {"requests": {"storage": claims.storage(wanted)}}}
    patch = {"metadata": {"uid": body["metadata"]["uid"]}, "spec": asked}
    try:
        await cluster.patch(PVC, namespace, name, patch)
    except Forbidden:
        return claims.no_expansion(claim, wanted, has, owner)
    except Invalid:
        if body.get("status", {}).get("phase") == "Bound":
            raise
        return f"{claim} grows to {claims.storage(wanted)} when it is bound to a volume: see its pod"
    return ""
