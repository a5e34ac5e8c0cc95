"""All controllers of a cluster, and its nodes."""

from collections.abc import Iterable

from fakecluster.apiserver.verbs import Api
from fakecluster.controllers import garbage_collector, jobs, volumes, workloads
from fakecluster.controllers.kubelet import Kubelet
from fakecluster.controllers.simulator import Rule, Simulator
from frappe_operator.kube import kinds
from frappe_operator.kube.kinds import Kind


def controllers(api: Api, kubelet: Kubelet, seed: int = 0, more: Iterable[tuple[Kind | None, Rule]] = ()) -> Simulator:
    """A simulator of a whole cluster. `more`: rules beside the usual ones."""
    pods = [(kinds.POD, kubelet.rule)]
    rules = [*garbage_collector.RULES, *volumes.RULES, *workloads.RULES, *jobs.RULES, *pods, *more]
    return Simulator(api, rules, seed)
