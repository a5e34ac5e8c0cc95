"""Names and labels of the objects that the operator creates. A released name or selector never changes."""

import hashlib

from frappe_operator.kube.live import OPERATOR_NAME

GROUP = "vyogo.tech"
"""API group of the kinds of this operator, and prefix of its labels and annotations."""

LIMIT = 63
"""Longest Service name, label value or host name of a pod, in characters."""

MANAGED_BY = "app.kubernetes.io/managed-by"
NAME = "app.kubernetes.io/name"
INSTANCE = "app.kubernetes.io/instance"
COMPONENT = "app.kubernetes.io/component"

RETAINED_LABEL = f"{GROUP}/retained"
"""Label of a retained child: it has no owner reference, and labels connect it to its owner."""

JOB_LABEL = "batch.kubernetes.io/job-name"

OPERATOR_SELECTOR = f"{MANAGED_BY}={OPERATOR_NAME}"
"""Label selector of all objects that the operator creates."""
JOB_PODS = f"{OPERATOR_SELECTOR},{JOB_LABEL}"
"""Label selector of the pods of the operator's Jobs."""
UNFINISHED_PODS = "status.phase!=Succeeded"
"""Field selector of pods that have not succeeded. Succeeded pods are many: they are read when needed, not cached."""


def digest(text: str, length: int = 8) -> str:
    """A fingerprint of `text` in `length` hexadecimal digits, valid in every name."""
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def child(owner: str, part: str, limit: int = LIMIT) -> str:
    """The name `<owner>-<part>`. Above `limit` characters the owner is shortened and a fingerprint added."""
    name = f"{owner}-{part}"
    if len(name) <= limit:
        return name
    tail = f"-{digest(name)}-{part}"
    return owner[: limit - len(tail)].rstrip("-.") + tail
