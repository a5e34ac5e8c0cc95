"""A claim for storage, alone or as a StatefulSet's template."""

from frappe_operator.kube.objects import Manifest
from frappe_operator.model.bench import Volume


def claim_spec(volume: Volume) -> Manifest:
    """`spec` of a PersistentVolumeClaim."""
    spec: Manifest = {
        "accessModes": [volume.access_mode],
        "resources": {"requests": {"storage": volume.size}},
    }
    if volume.storage_class:
        spec["storageClassName"] = volume.storage_class
    return spec


def claim_template(name: str, volume: Volume) -> Manifest:
    """One of a StatefulSet's `volumeClaimTemplates`.

    They are one value for server-side apply: with the server's defaults written down, what is there is what we wrote.
    """
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {"volumeMode": "Filesystem", **claim_spec(volume)},
        "status": {"phase": "Pending"},
    }


def claim(metadata: Manifest, volume: Volume) -> Manifest:
    """A PersistentVolumeClaim."""
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": claim_spec(volume)}
