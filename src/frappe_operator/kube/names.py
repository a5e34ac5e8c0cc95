"""Names and labels of everything the operator makes. A released name or selector never changes."""

import hashlib

from frappe_operator.kube.live import CONTROLLED_BY_US

GROUP = "vyogo.tech"
"""API group of our kinds, and prefix of our labels and annotations."""

LIMIT = 63
"""Length of a DNS label: what a Service name, a label value and a pod's host name may have."""

MANAGED_BY = "app.kubernetes.io/managed-by"
NAME = "app.kubernetes.io/name"
INSTANCE = "app.kubernetes.io/instance"
COMPONENT = "app.kubernetes.io/component"

RETAINED_LABEL = f"{GROUP}/retained"
"""On a child that outlives its owner: it is written without an owner reference, and belongs to its owner by labels."""

JOB_LABEL = "batch.kubernetes.io/job-name"

OURS = f"{MANAGED_BY}={CONTROLLED_BY_US}"
"""Label selector of everything the operator makes."""
JOB_PODS = f"{OURS},{JOB_LABEL}"
"""Label selector of the pods of our Jobs."""
AT_WORK = "status.phase!=Succeeded"
"""Field selector of those that may still get into trouble. The others stay, are many, and are read when needed."""


def digest(text: str, length: int = 8) -> str:
    """A short, fixed-length fingerprint that is safe in every kind of name."""
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def child(owner: str, part: str, limit: int = LIMIT) -> str:
    """`<owner>-<part>`; over `limit` characters the owner is cut and a fingerprint of the whole takes the rest."""
    name = f"{owner}-{part}"
    if len(name) <= limit:
        return name
    tail = f"-{digest(name)}-{part}"
    return owner[: limit - len(tail)].rstrip("-.") + tail
