"""The realtime server of a site."""

from frappe_operator.components import frappe, scaling
from frappe_operator.components.metadata import metadata, selector
from frappe_operator.components.pod import FRAPPE, template
from frappe_operator.components.service import service
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.site import Site

PART = "socketio"
PORT: Manifest = {"name": "socketio", "port": frappe.SOCKETIO_PORT, "targetPort": "socketio"}
GRACE_SECONDS = 5
"""Termination grace period in seconds. It is short, because Node ignores SIGTERM."""

FILTER = r"""
s/(sid(=|%3D|['"]?: *['"]))[^&;'" ]*/\1***/gI
s/((authorization|cookie)['"]?:).*/\1 ***/I
s/(token|bearer|basic) [^'" ]+/\1 ***/gI
"""
"""The sed program that removes sessions from the log. When a request to the site fails, the realtime server of Frappe
logs the request, which contains the session or token of the visitor."""

ENTRY = r"""
rm -f /tmp/log && mkfifo -m 600 /tmp/log
sed -u -E "$FILTER" < /tmp/log >&2 &
exec node "$1" > /tmp/log 2>&1
"""
"""Script that starts the server with its output piped through FILTER. When the filter ends, the server ends as well,
and the kubelet restarts both."""


def build(site: Site) -> list[Manifest]:
    """Deployment and Services of the realtime server, with its autoscaler and disruption budget."""
    owner, name, size, scale = site.owner, site.names.socketio, site.sizes["socketio"], site.scale("socketio")
    server = frappe.container(
        site,
        "socketio",
        ["sh", "-ec", ENTRY, "socketio", f"{frappe.BENCH_DIR}/apps/frappe/socketio.js"],
        size.resources,
        env=[*frappe.environment(site.layers), {"name": "FILTER", "value": FILTER}],
        ports=[{"name": "socketio", "containerPort": frappe.SOCKETIO_PORT}],
        readinessProbe={"tcpSocket": {"port": "socketio"}, "periodSeconds": 5},
        # Node responds without Redis and without a database; the session that this opens expires.
        livenessProbe={
            "httpGet": {"path": "/socket.io/?EIO=4&transport=polling", "port": "socketio"},
            "initialDelaySeconds": 30,
            "periodSeconds": 30,
            "timeoutSeconds": 20,
            "failureThreshold": 5,
        },
    )
    return [
        service(owner, name, PART, PORT),
        *_replicas(site),
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata(owner, name, PART, **scale.metadata),
            "spec": {
                **scale.spec,
                "selector": {"matchLabels": selector(owner, PART)},
                "template": template(
                    owner,
                    PART,
                    FRAPPE,
                    frappe.pod(site, server, grace=GRACE_SECONDS),
                    more=frappe.pod_labels(site),
                    secret_revision=site.redis_revision,
                    replicated=True,
                ),
            },
        },
        *scaling.build(owner, name, PART, size),
    ]


def _replicas(site: Site) -> list[Manifest]:
    """The headless Service by which the DNS of the cluster knows the address of each replica, if there may be several;
    see components/realtime.py."""
    if not site.has_realtime_replicas:
        return []
    made = service(site.owner, site.names.socketio_replicas, PART, PORT)
    return [{**made, "spec": {"clusterIP": "None", **made["spec"]}}]
