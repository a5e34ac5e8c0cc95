"""Children with immutable fields: PersistentVolumeClaims, and StatefulSets with the claims that they create.

What can change is applied; what cannot is reported in a message. A StatefulSet whose claim templates have to change is
recreated: it is deleted without its pods, and the new one adopts them.
"""

from typing import NamedTuple

import structlog

from frappe_operator.kube import claims
from frappe_operator.kube.kinds import PVC, STATEFUL_SET, ref_of
from frappe_operator.kube.objects import Manifest
from frappe_operator.runtime.client.errors import Forbidden, Invalid
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.drift import difference, stale_field

log = structlog.get_logger(__name__)

KINDS = (PVC, STATEFUL_SET)
TEMPLATES = "volumeClaimTemplates"


class Limits(NamedTuple):
    """What can be applied of one child."""

    manifest: Manifest
    """The desired state, as far as it is possible."""
    obstacle: str = ""
    """What is not possible, and what to do; empty when everything is."""
    recreated: bool = False
    """Whether the child was deleted, so that it can be created as desired."""
    without_growth: Manifest | None = None
    """What to apply when the API server does not let the claim grow."""
    no_expansion: str = ""
    """The obstacle to report in that case."""


async def within(cluster: Cluster, desired: Manifest, body: Manifest, owner: str) -> Limits:
    """What can be applied of a child to its current `body`. `owner`: the kind of its owner, for messages."""
    if ref_of(desired).kind == PVC:
        return _claim(desired, body, owner)
    return await _stateful_set(cluster, desired, body, owner)


def _claim(desired: Manifest, body: Manifest, owner: str) -> Limits:
    spec, has, name = desired["spec"], body["spec"], str(ref_of(desired))
    keeps_class = "storageClassName" not in spec and stale_field(desired, body) == "spec.storageClassName"
    bound = body.get("status", {}).get("phase") == "Bound"
    possible = claims.possible(spec, has, bound=bound, keeps_class=keeps_class)
    obstacle = claims.obstacle(name, spec, has, owner)
    limits = Limits({**desired, "spec": possible}, obstacle)
    if claims.size(possible) <= claims.size(has):
        return limits
    same = {**possible, "resources": claims.with_storage(possible, claims.storage(has))}
    refused = claims.no_expansion(name, spec, has, owner)
    return limits._replace(without_growth={**desired, "spec": same}, no_expansion=refused)


async def _stateful_set(cluster: Cluster, desired: Manifest, body: Manifest, owner: str) -> Limits:
    templates, has = desired["spec"].get(TEMPLATES, []), body["spec"].get(TEMPLATES, [])
    # Sent as they are: the API server accepts nothing else.
    spec = {name: value for name, value in desired["spec"].items() if name != TEMPLATES}
    possible = {**desired, "spec": {**spec, TEMPLATES: has} if has else spec}
    if not difference(templates, has) and len(templates) == len(has):
        return Limits(possible)
    namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
    for template in templates:
        for ordinal in range(body["spec"].get("replicas", 1)):
            claim = f"{template['metadata']['name']}-{name}-{ordinal}"
            if obstacle := await _resize_claim(cluster, namespace, claim, template["spec"], owner):
                return Limits(possible, obstacle)
    log.info(
        "recreating a StatefulSet for its claim templates; its pods keep running", statefulset=name, namespace=namespace
    )
    await cluster.delete(STATEFUL_SET, namespace, name, body["metadata"]["uid"], propagation="Orphan")
    return Limits(possible, recreated=True)


async def _resize_claim(cluster: Cluster, namespace: str, name: str, desired: Manifest, owner: str) -> str:
    """Grows a StatefulSet's claim to the size in the new template. Returns the obstacle, empty when there is none."""
    body = await cluster.read(PVC, namespace, name)
    if body is None:
        return ""
    has, claim = body["spec"], f"PersistentVolumeClaim {name}"
    obstacle = claims.obstacle(claim, desired, has, owner)
    if obstacle or claims.size(desired) <= claims.size(has):
        return obstacle
    spec = {"resources": {"requests": {"storage": claims.storage(desired)}}}
    patch = {"metadata": {"uid": body["metadata"]["uid"]}, "spec": spec}
    try:
        await cluster.patch(PVC, namespace, name, patch)
    except Forbidden:
        return claims.no_expansion(claim, desired, has, owner)
    except Invalid:
        if body.get("status", {}).get("phase") == "Bound":
            raise
        return f"{claim} grows to {claims.storage(desired)} when it is bound to a volume: see its pod"
    return ""
