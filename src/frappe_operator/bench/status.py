"""What a bench's status says beside its conditions."""

from typing import Any

from frappe_operator.bench.observe import Seen
from frappe_operator.model.bench import Bench


def status(bench: Bench, seen: Seen) -> dict[str, Any]:
    """Fields of `status`. None removes a field."""
    facts = bench.facts
    return {
        "sites": len(seen.sites),
        "image": facts
        and {
            "reference": facts.reference,
            "digest": facts.digest or None,
            "frappeVersion": facts.frappe_version,
            "python": facts.python,
            "apps": facts.apps,
        },
        "installedApps": list(bench.apps),
    }
