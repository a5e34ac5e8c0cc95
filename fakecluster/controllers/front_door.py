"""What is in front of sites: a controller of the Gateway API that accepts everything, and cert-manager."""

from collections.abc import Iterable

from fakecluster import certificates
from fakecluster.controllers.simulator import Action, Rule, Simulator
from frappe_operator.kube import kinds
from frappe_operator.kube.kinds import Kind, Ref
from frappe_operator.kube.objects import Manifest

MANAGER = "front-door"


def routes(sim: Simulator, ref: Ref, obj: Manifest) -> Action | None:
    """A route is accepted by each of its parents."""
    status = obj.get("status", {})
    of = [(each["parentRef"], _generation(each)) for each in status.get("parents", [])]
    wanted = [(parent, obj["metadata"]["generation"]) for parent in obj["spec"]["parentRefs"]]
    if of == wanted:
        return None
    conditions = _conditions(sim, obj, "Accepted", "ResolvedRefs")
    parents = [
        {"parentRef": parent, "controllerName": "example.com/gateway", "conditions": conditions} for parent, _ in wanted
    ]
    return Action("gateway", ref, "accept", lambda: sim.set_status(ref, {"parents": parents}))


def listener_sets(sim: Simulator, ref: Ref, obj: Manifest) -> Action | None:
    """The listeners of a site are served."""
    if _generation(obj.get("status", {})) == obj["metadata"]["generation"]:
        return None
    status = {"conditions": _conditions(sim, obj, "Accepted", "Programmed")}
    return Action("gateway", ref, "serve", lambda: sim.set_status(ref, status))


def issue(sim: Simulator, ref: Ref, obj: Manifest) -> Action | None:
    """A Certificate gets its Secret, and then says so."""
    name, hosts = obj["spec"]["secretName"], obj["spec"]["dnsNames"]
    secret = sim.find(kinds.SECRET, ref.namespace, name)
    made = certificates.secret(name, *hosts, always_the_same=True)
    made["metadata"]["namespace"] = ref.namespace
    made["metadata"]["annotations"] = {"cert-manager.io/alt-names": ",".join(hosts)}
    if secret is None:
        return Action("cert-manager", ref, "issue", lambda: sim.api.create(made, MANAGER))
    if secret["metadata"].get("annotations") != made["metadata"]["annotations"]:
        return Action("cert-manager", ref, "issue anew", lambda: sim.api.apply(made, MANAGER, force=True))
    if _generation(obj.get("status", {})) == obj["metadata"]["generation"]:
        return None
    status = {"conditions": _conditions(sim, obj, "Ready")}
    return Action("cert-manager", ref, "report", lambda: sim.set_status(ref, status))


def _conditions(sim: Simulator, obj: Manifest, *types: str) -> list[Manifest]:
    return [
        {
            "type": each,
            "status": "True",
            "reason": each,
            "message": "",
            "observedGeneration": obj["metadata"]["generation"],
            "lastTransitionTime": sim.api.now(),
        }
        for each in types
    ]


def _generation(status: Manifest) -> int:
    """The generation that conditions speak of; 0 without conditions."""
    conditions: Iterable[Manifest] = status.get("conditions", [])
    return min((each["observedGeneration"] for each in conditions), default=0)


RULES: list[tuple[Kind | None, Rule]] = [
    (kinds.HTTP_ROUTE, routes),
    (kinds.LISTENER_SET, listener_sets),
    (kinds.CERTIFICATE, issue),
]
