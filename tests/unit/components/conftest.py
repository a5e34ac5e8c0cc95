"""The children of benches and sites with many different specs."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.cli import render, source
from frappe_operator.cli.declared import Declared
from frappe_operator.components import assets, database, redis_keys
from frappe_operator.components import template as template_component
from frappe_operator.components.database.interface import Remains
from frappe_operator.kube.objects import Manifest
from frappe_operator.model import template as template_model
from tests.unit.resolved_samples import FACTS, IMAGES, a_bench, a_site, an_offer

GOLDEN = Path(__file__).parents[2] / "golden"
CANARY = render.GENERATED
"""Used as every generated password."""


class World(NamedTuple):
    """The children that a few objects have."""

    name: str
    manifests: list[Manifest]

    def of(self, *kinds: str) -> list[Manifest]:
        return [each for each in self.manifests if each["kind"] in kinds]

    def workloads(self) -> Iterator[tuple[str, Manifest]]:
        """All pod templates, each with the name of its workload."""
        for each in self.of("Deployment", "StatefulSet", "Job"):
            yield each["metadata"]["name"], each["spec"]["template"]


def build(path: Path) -> World:
    declared = Declared(source.read(str(path)), "default", IMAGES)
    stages = [
        *(stage for bench in declared.of(BENCH) for stage in render.children(declared, bench)),
        *(stage for site in declared.of(SITE) for stage in render.children(declared, site)),
    ]
    children = [child for stage in stages for child in (*stage.children, *stage.once)]
    return World(
        path.parent.name, [*children, *update_and_deletion_jobs()] if path.parent.name == "minimal" else children
    )


def update_and_deletion_jobs() -> list[Manifest]:
    """Children that exist only when the bench's image changes, it makes a template, or the site is deleted."""
    site, bench = a_site(), an_offer()
    made = template_model.template(FACTS, ("frappe", "erpnext"))
    assert bench.target_image is not None
    changed = a_site(bench=an_offer(facts=msgspec.structs.replace(FACTS, previous_key="0123456789ab")))
    keys = redis_keys.Keys(site.site_name, (site.bench_id,), site.database.name)
    return [
        *assets.renew(changed),
        *template_component.make(a_bench(), made, [made]),
        redis_keys.drop(site.owner, bench.target_image, bench.names, site.jobs, keys, queue=True, cache=True),
        *database.drop(
            Remains(
                site.owner,
                bench.target_image,
                bench.names,
                site.jobs,
                site.database.secret,
                site.database.name,
                server_exists=True,
            )
        ),
    ]


WORLDS = [build(path) for path in sorted(GOLDEN.glob("*/input.yaml"))]


@pytest.fixture(params=WORLDS, ids=lambda world: world.name)
def world(request: pytest.FixtureRequest) -> World:
    found: World = request.param
    return found
