"""Every generated spec is rejected with a message, or its values are in the built children.

The examples are the same in every run.
"""

import contextlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.cli import render, source
from frappe_operator.cli.declared import Declared
from frappe_operator.cli.schema import stored
from frappe_operator.cli.source import Document
from frappe_operator.cli.validate import validate
from frappe_operator.kube.kinds import Kind
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.quantities import amount, canonical
from frappe_operator.kube.stage import Blocked
from frappe_operator.model import bench as bench_model
from frappe_operator.model import database, domain, host, host_claims
from frappe_operator.model import site as site_model
from frappe_operator.model.redis_sizing import redis_memory
from frappe_operator.model.settings import Images
from tests.unit.cli import specs
from tests.unit.cli.specs import COMPONENTS
from tests.unit.resolved_samples import FACTS, IMAGES, an_offer, live

EXAMPLES = int(os.environ.get("EXAMPLES", "500"))
"""Random specs per test. `make faults` takes 10,000."""
BENCH_OF_ALL = an_offer()
REPEATABLE = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[*HealthCheck],
)


def document(kind: Kind, name: str, spec: Manifest) -> Document:
    """An object as it is read from a file."""
    value = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}, "spec": spec}
    return Document(f"{name}.yaml", {(): 1}, value)


def built(documents: list[Document]) -> dict[tuple[str, str], Manifest]:
    """All children of a bench and a site, by kind and name."""
    declared = Declared(documents, "default", Images())
    (bench,), (site,) = declared.of(BENCH), declared.of(SITE)
    stages = [*render.children(declared, bench), *render.children(declared, site)]
    made = [child for stage in stages for child in (*stage.children, *stage.once)]
    found = {(child["kind"], child["metadata"]["name"]): child for child in made}
    assert len(found) == len(made), "no two have one name"
    return found


def part(spec: Any, *path: str) -> Any:
    """The value of a field in a spec; None when it is not set."""
    for step in path:
        spec = spec.get(step) if isinstance(spec, Mapping) else None
    return spec


def first(*values: Any) -> Any:
    """The first value that is not None."""
    return next((each for each in values if each is not None), None)


def same(requested: Any, found: Any) -> bool:
    """Whether a quantity equals the requested one in the precision and spelling of the API server."""
    return found == canonical(requested) and 0 <= amount(found) - amount(str(requested)) < amount("1m")


def has_resources(requested: Any, workload: Manifest) -> bool:
    """Whether a container of a workload has all requested resources."""
    containers = workload["spec"]["template"]["spec"]["containers"]
    named = [
        (side, name, value) for side in ("requests", "limits") for name, value in (part(requested, side) or {}).items()
    ]
    return any(all(same(v, part(c, "resources", side, name)) for side, name, v in named) for c in containers)


def images(workloads: Iterable[Manifest], component: str = "") -> Iterator[tuple[str, str, list[Any]]]:
    for each in workloads:
        pod = each["spec"]["template"]["spec"]
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            if container["name"].startswith(component):
                yield container["image"], container.get("imagePullPolicy", ""), pod.get("imagePullSecrets", [])


def claim(volume: Manifest, requested: Any, storage_class: Any, mode: Any) -> bool:
    """Whether a claim has the requested size, class and access mode; None for those that are not set."""
    spec = volume["spec"]
    return (
        (requested is None or same(requested, spec["resources"]["requests"]["storage"]))
        and (storage_class is None or spec["storageClassName"] == storage_class)
        and (mode in (None, "Auto") or spec["accessModes"] == [mode])
    )


def substituted(bench: Manifest, site: Manifest, made: dict[tuple[str, str], Manifest]) -> Iterator[str]:
    """Every accepted field whose value differs in the built children."""
    cache, queue = made["StatefulSet", "pier-redis-cache"], made["StatefulSet", "pier-redis-queue"]
    nginx = next(each for (kind, name), each in made.items() if kind == "Deployment" and name.startswith("pier-"))
    jobs = [each for (kind, _), each in made.items() if kind == "Job"]
    web = [made["Deployment", f"pearl-{name}"] for name in COMPONENTS.values()]
    frappe, tag = part(bench, "imageConfig"), part(bench, "imageConfig", "tag") or bench["frappeVersion"]
    repository = part(frappe, "repository") or Images().frappe
    digest = part(frappe, "digest")
    reference = f"{repository}@{digest}" if digest else f"{repository}:{tag}"
    if {image for image, _, _ in images(jobs)} != {reference}:
        yield f"image of Jobs, not {reference}"
    if not {reference} <= {image for image, _, _ in images(web)}:
        yield f"image of pods, not {reference}"
    for _, _, secrets in images([*jobs, *web, cache, nginx]):
        if secrets != (part(frappe, "pullSecrets") or []):
            yield "pullSecrets"
    policy = part(frappe, "pullPolicy")
    if policy and any(found != policy for image, found, _ in images([*jobs, *web]) if image == reference):
        yield "pullPolicy"
    if nginx["spec"]["replicas"] != start(first(part(bench, "componentReplicas", "nginx"), 1), nginx, made):
        yield "replicas of nginx"
    for field, name in COMPONENTS.items():
        workload = made["Deployment", f"pearl-{name}"]
        requested = first(part(site, "componentReplicas", field), part(bench, "componentReplicas", field), 1)
        if workload["spec"]["replicas"] != start(requested, workload, made):
            yield f"replicas of {field}"
        sides = {
            side: first(*(part(each, "componentResources", field, side) for each in (site, bench)))
            for side in ("requests", "limits")
        }
        if not has_resources(sides, workload):
            yield f"resources of {field}"
    for name, workloads in (("nginx", [nginx]), ("redis", [cache, queue])):
        if not all(has_resources(part(bench, "componentResources", name), each) for each in workloads):
            yield f"resources of {name}"
    redis = part(bench, "redisConfig", "image")
    if redis and {image for image, _, _ in images([cache, queue], "redis")} != {redis}:
        yield "image of redis"
    command = cache["spec"]["template"]["spec"]["containers"][0]["command"]
    if (memory := part(bench, "redisConfig", "maxMemory")) and redis_memory(memory) not in command:
        yield "maxMemory"
    volumes = [
        (made["PersistentVolumeClaim", "pier-common"], bench, "storage", "size"),
        (queue["spec"]["volumeClaimTemplates"][0], bench, "redisConfig", "storageSize"),
        (made["PersistentVolumeClaim", "pearl-files"], site, "storage", "size"),
    ]
    if database := made.get(("StatefulSet", "pier-mariadb")):
        volumes.append((database["spec"]["volumeClaimTemplates"][0], bench, "databaseConfig", "storageSize"))
        if not has_resources(part(bench, "databaseConfig", "resources"), database):
            yield "resources of mariadb"
        mariadb = part(bench, "databaseConfig", "image")
        if mariadb and mariadb not in {image for image, _, _ in images([database])}:
            yield "image of mariadb"
    elif part(site, "dbConfig", "mode") not in ("external", "dedicated"):
        yield "dbConfig.mode"
    server = made.get(("StatefulSet", "pearl-db"))
    if bool(server) != (part(site, "dbConfig", "mode") == "dedicated"):
        yield "server of dbConfig.mode"
    if server:
        volumes.append((server["spec"]["volumeClaimTemplates"][0], site, "dbConfig", "storageSize"))
        if not has_resources(part(site, "dbConfig", "resources"), server):
            yield "resources of dbConfig"
        own = part(site, "dbConfig", "image")
        if own and own not in {image for image, _, _ in images([server])}:
            yield "image of dbConfig"
    for volume, spec, field, size in volumes:
        requested = part(spec, field) or {}
        if not claim(volume, requested.get(size), requested.get("storageClassName"), requested.get("accessMode")):
            yield f"{field} of {volume['metadata']['name']}"
    yield from autoscalers("nginx", nginx, [bench], made)
    yield from autoscalers("gunicorn", made["Deployment", "pearl-gunicorn"], [site, bench], made)
    yield from settings_of_gunicorn(bench, site, made["Deployment", "pearl-gunicorn"])
    yield from hosts(bench, site, made)


def start(requested: int, workload: Manifest, made: dict[tuple[str, str], Manifest]) -> int:
    """The number of replicas that a new Deployment starts with."""
    hpa = made.get(("HorizontalPodAutoscaler", workload["metadata"]["name"]))
    return min(max(requested, hpa["spec"]["minReplicas"]), hpa["spec"]["maxReplicas"]) if hpa else requested


def autoscalers(
    component: str, workload: Manifest, declared: list[Manifest], made: dict[tuple[str, str], Manifest]
) -> Iterator[str]:
    """The same of the autoscaler and the disruption budget of a workload."""

    def requested(field: str) -> Any:
        return first(*(part(each, "componentHPA", component, field) for each in declared))

    name = workload["metadata"]["name"]
    hpa = made.get(("HorizontalPodAutoscaler", name))
    if bool(requested("enabled")) != bool(hpa):
        yield f"componentHPA.{component}.enabled"
    least = hpa["spec"]["minReplicas"] if hpa else workload["spec"]["replicas"]
    if (least >= 2) != (("PodDisruptionBudget", name) in made):
        yield f"disruption budget of {component}"
    if hpa is None:
        return
    for field in ("minReplicas", "maxReplicas"):
        if requested(field) not in (None, hpa["spec"][field]):
            yield f"componentHPA.{component}.{field}"
    targets = {
        each["resource"]["name"]: each["resource"]["target"]["averageUtilization"] for each in hpa["spec"]["metrics"]
    }
    for field, resource in (("targetCPUUtilization", "cpu"), ("targetMemoryUtilization", "memory")):
        if requested(field) not in (None, targets.get(resource)):
            yield f"componentHPA.{component}.{field}"


def settings_of_gunicorn(bench: Manifest, site: Manifest, workload: Manifest) -> Iterator[str]:
    """The same of the command line of gunicorn."""
    containers = workload["spec"]["template"]["spec"]["containers"]
    (command,) = [each["command"] for each in containers if each["name"] == "gunicorn"]
    for field in ("workers", "threads", "timeout"):
        value = first(part(site, "gunicorn", field), part(bench, "gunicorn", field))
        if value is not None and f"--{field}={value}" not in command:
            yield f"gunicorn.{field}"
    most = first(part(site, "gunicorn", "maxRequests"), part(bench, "gunicorn", "maxRequests"))
    if bool(most) != (f"--max-requests={most}" in command):
        yield "gunicorn.maxRequests"


def hosts(bench: Manifest, site: Manifest, made: dict[tuple[str, str], Manifest]) -> Iterator[str]:
    """The same of the way in."""
    kind = first(part(site, "ingress", "type"), part(bench, "ingress", "type"), "Ingress")
    ingress, routes = made.get(("Ingress", "pearl")), [each for (of, _), each in made.items() if of == "HTTPRoute"]
    if (bool(ingress), bool(routes)) != (kind == "Ingress", kind == "Gateway"):
        yield "ingress.type"
        return
    suffix = part(bench, "domainConfig", "suffix") or ""
    others = [*(site.get("aliases") or []), *(site.get("redirects") or [])]
    wanted = {host.normalise(each) for each in (site.get("domain") or site["siteName"] + suffix, *others)}
    found = {host for each in routes for host in each["spec"]["hostnames"]}
    if ingress:
        found = {rule["host"] for rule in ingress["spec"]["rules"]}
        inherited = part(bench, "ingress", "className") if part(bench, "ingress", "type") in (None, "Ingress") else None
        wanted_class = first(site.get("ingressClassName"), part(site, "ingress", "className"), inherited)
        if ingress["spec"].get("ingressClassName") != wanted_class:
            yield "ingressClassName"
        secret = part(site, "tls", "secretName")
        if secret and part(site, "tls", "enabled") is not False and part(bench, "tls", "enabled") is not False:
            yield from ["tls.secretName"] if ingress["spec"]["tls"][0]["secretName"] != secret else []
    if kind != "None" and found != wanted:
        yield "domain, aliases or redirects"


@pytest.fixture(scope="module")
def count() -> Iterator[dict[str, int]]:
    tally = {"specs": 0, "accepted": 0}
    begun = time.process_time()
    yield tally
    took = time.process_time() - begun
    print(f"\n{tally['specs']} pairs of specs, {tally['accepted']} accepted, {took:.0f} s of processor time")
    assert tally["specs"] >= EXAMPLES
    assert tally["specs"] / 4 < tally["accepted"] < tally["specs"] * 3 / 4, "both roads are walked"


@REPEATABLE
@given(bench=specs.BENCHES, site=specs.SITES)
def test_accepted_values_are_built_as_requested(count: dict[str, int], bench: Any, site: Any) -> None:
    count["specs"] += 1
    documents = [document(BENCH, "pier", bench), document(SITE, "pearl", site)]
    findings = validate(documents, "default")
    assert all(line.splitlines() == [line] for line in findings.lines())
    if findings.problems:
        operator_never_stumbles(bench, site)
        return
    if site["benchRef"]["name"] != "pier":
        assert any("is not in the files" in note for note in findings.notes)
        return
    count["accepted"] += 1
    made = built(documents)
    assert list(substituted(stored(bench), stored(site), made)) == []
    # Most of the time goes into building: of one in four it is enough to know that it is repeatable.
    if count["accepted"] % 100 == 0:
        assert "".join(render.render(Declared(documents, "default", Images())))
    if count["accepted"] % 4 == 0:
        assert msgspec.json.encode([*made.values()]) == msgspec.json.encode([*built(documents).values()])


def operator_never_stumbles(bench: Manifest, site: Manifest) -> None:
    """What the API server refuses can have been stored before it had the rule: the operator says so as well."""
    with contextlib.suppress(Blocked):
        owner = live("pier", bench, kind=BENCH)
        bench_model.resolve(owner, bench_model.parse(owner), IMAGES, facts=FACTS, access_mode=bench_model.RWO)
    requested = live("pearl", site, kind=SITE)
    for index in (*host_claims.INDICES.values(), *site_model.INDICES.values(), database.needs_mariadb):
        index(requested)
    with contextlib.suppress(Blocked):
        spec = site_model.parse(requested)
        site_model.resolve(requested, spec, BENCH_OF_ALL, domain=domain.resolve(spec, BENCH_OF_ALL.domains))


@settings(REPEATABLE, max_examples=500)
@given(text=st.text(alphabet="ab:- \n#'\"{}[],&*!|>%@`\t0x1.e_~?\\u\0é\ud800", max_size=60))
def test_no_file_ends_in_a_traceback(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    for start in ("", "apiVersion: vyogo.tech/v1alpha1\nkind: FrappeSite\nmetadata: {name: pearl}\nspec: "):
        path.write_bytes((start + text).encode("utf-8", "surrogatepass"))
        with contextlib.suppress(source.Unreadable):
            list(validate(source.read(str(path)), "default").lines())
