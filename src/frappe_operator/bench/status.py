"""The status of a bench, except for its conditions."""

from collections.abc import Mapping
from typing import Any

import msgspec

from frappe_operator.bench.observe import Observed
from frappe_operator.kube.quantities import mebibytes
from frappe_operator.kube.stage import Verdict
from frappe_operator.model.bench import Bench
from frappe_operator.model.conditions import BenchCondition
from frappe_operator.model.image import Facts
from frappe_operator.model.layer import Layer


def _layer(layer: Layer, bench: Bench) -> dict[str, Any]:
    shown = {
        name: value
        for name, value in msgspec.to_builtins(layer).items()
        if name not in ("request", "imageKey") and value != ""
    }
    current = any(order.key == layer.key for order in bench.orders)
    return {**shown, "size": mebibytes(layer.size), "current": current}


def status(bench: Bench, observed: Observed, verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    """Fields of `status` by their JSON names. None removes a field."""
    facts, last = bench.facts, observed.revisions
    redis = bench.redis.revision if verdicts[BenchCondition.CACHE_READY].ok or not last.redis else last.redis
    mariadb = bench.mariadb.revision if verdicts[BenchCondition.DATABASE_READY].ok or not last.mariadb else last.mariadb
    return {
        "sites": len(observed.sites),
        "image": facts and _image(facts),
        # Within a list, a merge patch does not remove what is None.
        "earlierImages": [
            {name: value for name, value in _image(each).items() if value is not None} for each in bench.earlier
        ]
        or None,
        "upgrade": _upgrade(bench, len(observed.sites)),
        "installedApps": list(bench.apps),
        "layers": [_layer(each, bench) for each in bench.layers] or None,
        "detectedAddress": msgspec.to_builtins(observed.address) if observed.address.service else None,
        # A new revision is reported once the server is available with it. Only then do the pods of the sites restart.
        "secretRevisions": {"redis": redis or None, "mariadb": (bench.mariadb_needed and mariadb) or None},
    }


def _image(facts: Facts) -> dict[str, Any]:
    return {
        "reference": facts.reference,
        "digest": facts.digest or None,
        "frappeVersion": facts.frappe_version,
        "python": facts.python,
        "apps": facts.apps,
        "assetsSize": facts.assets_size or None,
        "request": facts.request or None,
        "imageApps": facts.image_apps,
        "layers": [_recorded(each) for each in facts.layers] or None,
    }


def _recorded(layer: Layer) -> dict[str, Any]:
    """The fields of a layer that stand in for the record in ConfigMaps if that is lost."""
    return {name: value for name, value in msgspec.to_builtins(layer).items() if name not in ("size", "note")}


SHOWN_NEXT, SHOWN_FAILED = 10, 100
"""How many sites the status names: it must not grow with the number of sites. Sites whose turn it is are all named,
because it is this list that lets them upgrade."""


def _upgrade(bench: Bench, total: int) -> dict[str, Any] | None:
    wave = bench.wave
    behind = len(wave.upgrading) + len(wave.waiting) + len(wave.failed) + len(wave.stays)
    if bench.facts is None or not (behind or wave.removing):
        return None
    return {
        "image": bench.facts.pinned,
        "total": total,
        "done": total - behind,
        "upgrading": list(wave.upgrading),
        "next": list(wave.waiting[:SHOWN_NEXT]),
        "waiting": len(wave.waiting),
        "failed": list(wave.failed[:SHOWN_FAILED]),
        "removing": list(wave.removing) or None,
    }
