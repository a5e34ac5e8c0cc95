"""The cluster that the operator finds: every controller there is, and the nodes."""

from collections.abc import Iterable

from frappe_operator.kube import kinds
from frappe_operator.kube.kinds import Kind
from tests.world import garbage, jobs, volumes, workloads
from tests.world.api import Api
from tests.world.kubelet import Kubelet
from tests.world.simulator import Rule, Simulator


def controllers(api: Api, kubelet: Kubelet, seed: int = 0, more: Iterable[tuple[Kind | None, Rule]] = ()) -> Simulator:
    """A simulator of a whole cluster. `more`: rules beside the usual ones."""
    pods = [(kinds.POD, kubelet.rule)]
    rules = [*garbage.RULES, *volumes.RULES, *workloads.RULES, *jobs.RULES, *pods, *more]
    return Simulator(api, rules, seed)
