"""The Service of a component."""

from frappe_operator.components.metadata import metadata, selector
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.owner import Owner


def service(owner: Owner, name: str, part: str, *ports: Manifest) -> Manifest:
    """The Service `name` for the pods of the component `part`."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(owner, name, part),
        "spec": {"selector": selector(owner, part), "ports": [*ports]},
    }
