"""ResourceQuota: what pods may ask for together in a namespace, as an admission plugin refuses them."""

from fakecluster.apiserver.errors import forbidden
from fakecluster.apiserver.validation import number
from fakecluster.apiserver.verbs import Admission, Api
from frappe_operator.kube import kinds
from frappe_operator.kube.kinds import Ref
from frappe_operator.kube.objects import Manifest


def quota(api: Api, name: str = "compute", **hard: str) -> Admission:
    """A quota such as `limits_cpu="2"`. Every container must say what it asks for of it."""
    limits = {each.replace("_", "."): amount for each, amount in hard.items()}

    def admit(verb: str, ref: Ref, obj: Manifest) -> None:
        if verb != "create" or ref.kind != kinds.POD:
            return
        containers = [*obj["spec"]["containers"], *obj["spec"].get("initContainers", [])]
        for resource, most in limits.items():
            field, what = resource.split(".")
            silent = [each["name"] for each in containers if what not in each.get("resources", {}).get(field, {})]
            if silent:
                raise forbidden(ref, f"failed quota: {name}: must specify {resource} for: {','.join(silent)}")
            used = sum(_asked(record.obj, field, what) for record in api.store.list(kinds.POD, ref.namespace))
            request = _asked(obj, field, what)
            if used + request > number(most):
                why = f"requested: {resource}={request:g}, used: {resource}={used:g}, limited: {resource}={most}"
                raise forbidden(ref, f"exceeded quota: {name}, {why}")

    return admit


def _asked(pod: Manifest, field: str, what: str) -> float:
    if pod["status"].get("phase") in ("Succeeded", "Failed") if "status" in pod else False:
        return 0.0
    return sum(number(each.get("resources", {}).get(field, {}).get(what, "0")) for each in pod["spec"]["containers"])
