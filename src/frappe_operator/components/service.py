"""The Service of a component."""

from frappe_operator.components.metadata import metadata, selector
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.owner import Owner


def service(owner: Owner, name: str, part: str, *ports: Manifest, selects: dict[str, str] | None = None) -> Manifest:
    """The Service `name` for the pods of the component `part`. `selects`: the labels that select the pods, by default
    those of the owner and component."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(owner, name, part),
        "spec": {"selector": selector(owner, part) if selects is None else selects, "ports": [*ports]},
    }
