"""What two runs are compared by: their objects without the fields that differ between any two runs."""

import re
from typing import Any

from frappe_operator.kube import kinds
from frappe_operator.kube.kinds import Kind
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.removal import REMOVAL_FAILED_LABEL, REMOVED_LABEL
from frappe_operator.model.upgrade import FAILED_LABEL, RELEASE_LABEL, UPGRADING_LABEL

VOLATILE = {
    "clusterIP",
    "clusterIPs",
    "completionTime",
    "creationTimestamp",
    "currentRevision",
    "deletionTimestamp",
    "deployment.kubernetes.io/revision",
    "finishedAt",
    "generation",
    # The address of a Service, in `hostAliases`.
    "ip",
    "lastTransitionTime",
    "managedFields",
    "observedGeneration",
    "resourceVersion",
    "startTime",
    "uid",
    "since",
    "updateRevision",
    "volumeName",
    # What they are fingerprints of has a resourceVersion in it.
    "secretRevisions",
    "vyogo.tech/configuration",
    "vyogo.tech/inputs",
    "vyogo.tech/secret-revision",
}
RELEASE_LABELS = (RELEASE_LABEL, UPGRADING_LABEL, FAILED_LABEL, REMOVED_LABEL, REMOVAL_FAILED_LABEL)
HISTORY = re.compile("-(configure-[0-9a-f]{8}|(assets|upgrade)-[0-9a-f]{12})$")


def is_history(kind: Kind, name: str) -> bool:
    """Whether it is a Job that brings a site up to date: which there are tells what the site was before, and when that
    changed, and nothing of what it should be now."""
    return kind == kinds.JOB and HISTORY.search(name) is not None


def without_release(claim: Manifest) -> Manifest:
    """A claim of a site that was deleted, without the release of its data: whether that was upgraded first depends on
    the time of the deletion."""
    labels = {name: value for name, value in claim["metadata"]["labels"].items() if name not in RELEASE_LABELS}
    return {**claim, "metadata": {**claim["metadata"], "labels": labels}}


def without_volatile(value: Any, secret: bool = False) -> Any:
    """A value without what differs between two runs that went the same way."""
    if isinstance(value, dict):
        secret = secret or value.get("kind") == "Secret"
        return {
            name: (sorted(inner) if secret and name == "data" else without_volatile(inner, secret))
            for name, inner in sorted(value.items())
            if name not in VOLATILE and not name.endswith("controller-uid")
        }
    if isinstance(value, list):
        return [without_volatile(item, secret) for item in value]
    # A site keeps the Job that created it, with the address and the size of uploads it had then.
    flag = value.partition("=")[0] if isinstance(value, str) else ""
    return f"{flag}=*" if flag in ("--host-name", "--max-file-size") else value
