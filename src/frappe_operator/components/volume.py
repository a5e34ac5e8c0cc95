"""PersistentVolumeClaims, as objects or as templates in a StatefulSet."""

from frappe_operator.kube.objects import Manifest
from frappe_operator.model.bench import Volume


def claim_spec(volume: Volume) -> Manifest:
    """The field `spec` of a PersistentVolumeClaim."""
    spec: Manifest = {
        "accessModes": [volume.access_mode],
        "resources": {"requests": {"storage": volume.size}},
    }
    if volume.storage_class:
        spec["storageClassName"] = volume.storage_class
    return spec


def claim_template(name: str, volume: Volume, labels: dict[str, str] | None = None) -> Manifest:
    """One of the `volumeClaimTemplates` of a StatefulSet. `labels`: labels of the claims.

    Server-side apply treats the list as one value. It contains the defaults of the API server, so that the applied and
    the live value are equal.
    """
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, **({"labels": labels} if labels else {})},
        "spec": {"volumeMode": "Filesystem", **claim_spec(volume)},
        "status": {"phase": "Pending"},
    }


def claim(metadata: Manifest, volume: Volume) -> Manifest:
    """A PersistentVolumeClaim."""
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": claim_spec(volume)}
