"""A whole operator process that does almost nothing: it keeps a ConfigMap for each FrappeBench, and says so.

python -m tests.cluster.counting_operator KUBECONFIG NAMESPACE PORT
"""

import asyncio
import sys

from frappe_operator.api.kinds import BENCH
from frappe_operator.kube.kinds import CONFIG_MAP
from frappe_operator.kube.live import Custom
from frappe_operator.kube.names import MANAGED_BY, OPERATOR_SELECTOR
from frappe_operator.kube.objects import Key
from frappe_operator.kube.readiness import exist
from frappe_operator.kube.stage import Stage
from frappe_operator.runtime.apply.children import apply
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.controller import Controller, Watch, owned_by
from frappe_operator.runtime.process.operator import run
from frappe_operator.runtime.process.settings import Settings
from frappe_operator.runtime.status.report import report


async def reconcile(cluster: Cluster, key: Key) -> float | None:
    live = cluster.get(BENCH, key.namespace, key.name)
    if not isinstance(live, Custom):
        return None
    metadata = {"namespace": key.namespace, "name": f"{key.name}-count", "labels": {MANAGED_BY: "frappe-operator"}}
    child = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"kept": "yes"}}
    done = await apply(cluster, BENCH, live, [Stage("StorageReady", [child], exist)])
    await report(cluster, BENCH, live, done.verdicts, {})
    print(f"reconciled {key}", flush=True)
    return None


if __name__ == "__main__":
    kubeconfig, namespace, port = sys.argv[1:]
    settings = Settings(
        kubeconfig=kubeconfig, namespaces=(namespace,), lease_namespace=namespace, health_port=int(port)
    )
    watches = [Watch(CONFIG_MAP, owned_by(BENCH), labels=OPERATOR_SELECTOR, metadata_only=True)]
    sys.exit(asyncio.run(run(settings, [Controller(BENCH, reconcile, watches)])))
