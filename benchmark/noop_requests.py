"""Requests of a reconcile that changes nothing, for every bench and site in examples/, in memory."""

import io
import re
from collections import Counter
from contextlib import redirect_stdout
from pathlib import Path

import yaml

from benchmark.figures import Measured
from fakecluster import certificates
from fakecluster.controllers.volumes import storage_class
from fakecluster.world import World, settle
from frappe_operator.api import crd
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.tls import own_secret

DOMAINS = ("example.com", "example.org", "shops.example.com", "florist.example.org", "market.example.org")
CERTIFIED = tuple(f"*.{domain}" for domain in DOMAINS)
"""Names that cover the hosts of all examples with TLS."""
EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.yaml"))
OWN = {kind.kind: kind for kind in (BENCH, SITE)}
LOOK_SECONDS = 90.0


def idle() -> list[Measured]:
    """noop_requests: an annotation triggers a reconcile of each object; noop_requests_first: a new process does."""
    later: dict[str, dict[str, int]] = {}
    first: dict[str, float] = {}
    for file in EXAMPLES:
        with redirect_stdout(io.StringIO()):
            later[file.stem], first[file.stem] = _looks(file)
    return [
        Measured(
            "noop_requests",
            max(sum(asked.values()) for asked in later.values()),
            "an annotation triggers a reconcile of every bench and site of each file in examples/, in memory; the most "
            "requests for the objects of one file",
            later,
        ),
        Measured(
            "noop_requests_first",
            max(first.values()),
            "requests per bench or site of the first reconcile by a new process; the most of any file",
            {name: round(count, 2) for name, count in first.items()},
        ),
    ]


def _looks(file: Path) -> tuple[dict[str, int], float]:
    declared = [each for each in yaml.safe_load_all(file.read_text()) if each]
    named = sorted(set(re.findall(r"storageClassName: (\S+)", file.read_text())))
    classes = [storage_class(), *(storage_class(name, default=False) for name in named)]
    secrets = [_certificate(name) for name in re.findall(r"secretName: (\S+)", file.read_text())]
    issued = [_certificate(own_secret(each["metadata"]["name"])) for each in declared if _is_issued(each)]
    world = World(*map(_placed, [*declared, *secrets, *issued]), crds=crd.definitions(), storage=classes)
    try:
        settle(world)
        own = [each for each in declared if each["kind"] in OWN]
        assert all(world.condition("Ready", each["metadata"]["name"]).ok for each in own), f"{file.stem} is not Ready"
        began = len(world.server.requests)
        for each in own:
            patch = {"metadata": {"annotations": {"somebody": "was here"}}}
            metadata = each["metadata"]
            world.edit(OWN[each["kind"]], metadata["name"], patch, metadata.get("namespace", "default"))
        world.run(LOOK_SECONDS)
        later = _asked(world, began)
        began = len(world.server.requests)
        world.crash()
        world.run(LOOK_SECONDS)
        assert world.starts == 2
        return later, sum(_asked(world, began).values()) / len(own)
    finally:
        world.end()


def _is_issued(obj: Manifest) -> bool:
    tls = obj.get("spec", {}).get("tls", {})
    return obj["kind"] == "FrappeSite" and ("issuer" in tls or "clusterIssuer" in tls)


def _certificate(name: str) -> Manifest:
    """A Secret with a certificate for every host of the examples."""
    return certificates.secret(name, *CERTIFIED)


def _placed(obj: Manifest) -> Manifest:
    return {**obj, "metadata": {"namespace": "default", **obj["metadata"]}}


def _asked(world: World, since: int) -> dict[str, int]:
    asked = world.server.requests[since:]
    return dict(Counter(f"{each.verb} {each.kind.kind}" for each in asked if each.verb != "watch"))
