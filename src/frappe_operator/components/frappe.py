"""Common parts of all Frappe pods: a directory `sites/` with only their own site, and the runner that sets it up."""

import json
from collections.abc import Collection, Sequence
from typing import NamedTuple

from frappe_operator.components import own_address
from frappe_operator.components.metadata import metadata
from frappe_operator.components.pod import (
    CONTAINER_SECURITY,
    FRAPPE,
    LAST_LINES,
    affinity,
    config_volume,
    mount,
    pull_secrets,
    scratch,
    secret_volume,
    template,
)
from frappe_operator.components.storage import MOUNTS_COMMON, files_node, layers_node
from frappe_operator.kube.names import digest
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.bench import Names
from frappe_operator.model.image import Image
from frappe_operator.model.layer import Layer, layer_keys
from frappe_operator.model.layers import FOLDER, PACKAGES
from frappe_operator.model.owner import Owner
from frappe_operator.model.site import Site

BENCH_DIR = "/home/frappe/frappe-bench"
SITES = f"{BENCH_DIR}/sites"
PYTHON = f"{BENCH_DIR}/env/bin/python"
RUNNER = "/opt/frappe-operator"
SECRETS = "/run/secrets/frappe-operator"
SOCKETIO_PORT = 9000
AUTHORITY = "/etc/frappe-operator/authority"
"""Directory at which the init container has the certificate authority of the site, without a key."""
TRUSTED = f"{BENCH_DIR}/config/certificates.pem"
"""The certificate authorities that the programs of a site trust, when it has one of its own."""
INPUTS_ANNOTATION = "vyogo.tech/inputs"
"""Annotation of a Job: fingerprint of its inputs. An unfinished Job with another fingerprint is recreated."""

ENV: list[Manifest] = [
    {"name": "FRAPPE_STREAM_LOGGING", "value": "1"},
    {"name": "PYTHONUNBUFFERED", "value": "1"},
    {"name": "PYTHONDONTWRITEBYTECODE", "value": "1"},
    {"name": "HOME", "value": "/tmp"},
]


class Task(NamedTuple):
    """One run of the runner in a Job."""

    name: str
    part: str
    arguments: list[str]
    inputs: str
    """What the run depends on in addition to its arguments. A change recreates the unfinished Job."""


def runner(image: Image, *arguments: str) -> Manifest:
    """The fields of a container that runs the runner with `arguments`."""
    return {
        "image": image.reference,
        "imagePullPolicy": image.pull_policy,
        "command": [PYTHON, RUNNER],
        "args": list(arguments),
        "env": ENV,
        "securityContext": CONTAINER_SECURITY,
        "terminationMessagePolicy": "File",
    }


def task_container(image: Image, name: str, arguments: Sequence[str], amounts: Manifest, *mounts: Manifest) -> Manifest:
    """A container that runs a command of the runner and no program of a site, with these mounts beside those that every
    command needs. `amounts`: its field `resources`."""
    return {
        "name": name,
        **runner(image, *arguments),
        "resources": amounts,
        "volumeMounts": [*mounts, mount("tmp", "/tmp"), mount("runner", RUNNER, read_only=True)],
    }


def layout(site: Site, *more: str) -> Manifest:
    """The init container that sets up the directory `sites/` of a pod. `more`: additional flags."""
    return {
        "name": "layout",
        **runner(
            site.image,
            "layout",
            f"--site={site.site_name}",
            "--volume=/volume",
            "--view=/view",
            "--config=/config",
            f"--bench-id={site.bench_id}",
            f"--redis-cache-host={site.bench.redis_cache}",
            f"--redis-queue-host={site.bench.redis_queue}",
            f"--socketio-port={SOCKETIO_PORT}",
            *more,
            *([f"--layers={layer_keys(site.layers)}"] if site.layers else []),
        ),
        "resources": site.layout,
        "volumeMounts": [
            mount("sites", "/view"),
            mount("config", "/config"),
            mount("files", "/volume"),
            mount("tmp", "/tmp"),
            mount("runner", RUNNER, read_only=True),
            mount("redis", f"{SECRETS}/redis", read_only=True),
            *layer_mounts(site.layers),
        ],
    }


def trusting_layout(site: Site) -> Manifest:
    """The init container of a pod whose programs call the site. It puts the certificate authority of the site beside
    those that Python trusts anyway."""
    if not site.own.authority:
        return layout(site)
    container = layout(site, f"--authority={AUTHORITY}/ca.crt", f"--authority-key={site.own.authority}")
    container["volumeMounts"].append(mount("authority", AUTHORITY, read_only=True))
    return container


def app_folder(app: str) -> str:
    """Where a Frappe pod has the source of an app."""
    return f"{BENCH_DIR}/apps/{app}"


def layer_mounts(layers: Collection[Layer]) -> list[Manifest]:
    """The mounts of app layers, each where an image has the app."""
    return [
        mount("layers", app_folder(layer.app), read_only=True, sub_path=f"{FOLDER}/{layer.key}") for layer in layers
    ]


def environment(layers: Collection[Layer]) -> list[Manifest]:
    """The environment of a container that runs Frappe: it finds the apps of layers before those of the image."""
    if not layers:
        return ENV
    folders = [app_folder(layer.app) for layer in layers]
    path = ":".join([*folders, *(f"{folder}/{PACKAGES}" for folder in folders)])
    return [*ENV, {"name": "PYTHONPATH", "value": path}]


def calling_environment(site: Site) -> list[Manifest]:
    """The environment of a container that runs Frappe and calls the site."""
    names = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE") if site.own.authority else ()
    return [*environment(site.layers), *({"name": name, "value": TRUSTED} for name in names)]


def pod_labels(site: Site) -> dict[str, str] | None:
    """Labels of the pods of a site in addition to those of its components; None without any."""
    return MOUNTS_COMMON if site.layers else None


def view_mounts(site: Site) -> list[Manifest]:
    """The mounts of the directory `sites/` and of the site in it, as Frappe expects them."""
    return [
        mount("sites", SITES),
        mount("files", f"{SITES}/{site.site_name}", sub_path=site.site_name),
        *layer_mounts(site.layers),
    ]


def program_mounts(site: Site) -> list[Manifest]:
    """The mounts of the directory `sites/`, and of every other path that a Frappe program writes to.

    The scheduler takes a file lock in `config/`; commands and the bench CLI write log files to `logs/`, and the CLI
    does not accept a directory without `config/pids` as a bench.
    """
    return [
        *view_mounts(site),
        mount("tmp", "/tmp"),
        mount("config", f"{BENCH_DIR}/config"),
        mount("logs", f"{BENCH_DIR}/logs"),
    ]


def container(site: Site, name: str, command: list[str], resources: Manifest, **more: object) -> Manifest:
    """A container that runs a Frappe program on this one site. `more`: fields that replace or extend the default."""
    return {
        "name": name,
        "image": site.image.reference,
        "imagePullPolicy": site.image.pull_policy,
        "command": command,
        "workingDir": SITES,
        "env": environment(site.layers),
        "resources": resources,
        "terminationMessagePolicy": LAST_LINES,
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": program_mounts(site),
        **more,
    }


def probe(*arguments: str) -> Manifest:
    """A probe by the runner, for a container that mounts it. Python skips site-packages and so starts faster."""
    return {"exec": {"command": [PYTHON, "-S", "-E", RUNNER, "probe", *arguments]}}


def volumes(site: Site) -> list[Manifest]:
    """The volumes for the mounts of `layout` and `program_mounts`."""
    return [
        scratch("sites"),
        scratch("tmp"),
        scratch("config"),
        scratch("logs"),
        {"name": "files", "persistentVolumeClaim": {"claimName": site.names.files}},
        config_volume("runner", site.bench.runner),
        secret_volume("redis", site.bench.redis, "password"),
        *([layers_volume(site.bench.common)] if site.layers else []),
    ]


def layers_volume(common: str) -> Manifest:
    """The volume for `layer_mounts`: the common storage, whose claim is `common`."""
    # Read-only as a whole: the kubelet would create the folder of a layer that is missing.
    return {"name": "layers", "persistentVolumeClaim": {"claimName": common, "readOnly": True}}


def pod(
    site: Site,
    *containers: Manifest,
    grace: int,
    more_volumes: list[Manifest] | None = None,
    calls_site: bool = False,
) -> Manifest:
    """The `spec` of a pod that runs Frappe programs on this one site. `grace`: seconds from SIGTERM to SIGKILL.
    `calls_site`: whether its programs reach the site at its public address."""
    return {
        **(own_address.host_aliases(site.own) if calls_site else {}),
        "terminationGracePeriodSeconds": grace,
        **pull_secrets(site.image.pull_secrets),
        **affinity(*files_node(site), *layers_node(site)),
        "initContainers": [trusting_layout(site) if calls_site else layout(site)],
        "containers": list(containers),
        "volumes": [
            *volumes(site),
            *(more_volumes or []),
            *(own_address.trusted_authority(site.own) if calls_site else []),
        ],
    }


def job(owner: Owner, image: Image, task: Task, pod: Manifest, pod_labels: dict[str, str] | None = None) -> Manifest:
    """A Job that runs a task until it succeeds.

    The kubelet restarts the container in its pod, with a backoff of up to five minutes. Every task may run again at
    any time, and what it waits for may take hours. There is no TTL: the finished Job records that the task is done.
    """
    # Resources are inputs: a Job that exceeds a quota or runs out of memory must be recreated when they change.
    sizes = [each["resources"] for each in (*pod.get("initContainers", ()), *pod["containers"])]
    inputs = digest("\n".join([image.reference, task.inputs, *task.arguments, json.dumps(sizes, sort_keys=True)]), 16)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(owner, task.name, task.part, annotations={INPUTS_ANNOTATION: inputs}),
        "spec": {
            "backoffLimit": 2_000_000_000,
            "completions": 1,
            "parallelism": 1,
            # A pod is replaced only after it has terminated, so that two pods never work on one site.
            "podReplacementPolicy": "Failed",
            "template": template(owner, task.part, FRAPPE, {"restartPolicy": "OnFailure", **pod}, pod_labels),
        },
    }


def site_job(
    site: Site, task: Task, secrets: dict[str, str], optional: Collection[str] = (), layout_flags: Collection[str] = ()
) -> Manifest:
    """A Job that works on a site. `secrets`: the Secret for each folder below `SECRETS`; those of the folders in
    `optional` may be missing. `layout_flags`: additional flags of its init container."""
    main = _task(site.image, task, site.jobs, secrets, *program_mounts(site))
    main["workingDir"] = SITES
    # Without stream logging Frappe's commands write to logs/, and print less than with it.
    main["env"] = [each for each in environment(site.layers) if each["name"] != "FRAPPE_STREAM_LOGGING"]
    # The init container wrote the password of Redis when the pod started.
    keys = [layer.key for layer in site.layers]
    task = task._replace(inputs="\n".join(filter(None, [task.inputs, site.redis_revision, *keys])))
    spec = pod(site, main, grace=30, more_volumes=_secret_volumes(secrets, optional))
    if layout_flags:
        spec["initContainers"] = [layout(site, *layout_flags)]
    return job(site.owner, site.image, task, spec, pod_labels(site))


def bare_job(
    owner: Owner, image: Image, bench: Names, task: Task, resources: Manifest, secrets: dict[str, str]
) -> Manifest:
    """A Job that mounts no site. `secrets`: the Secret for each folder below `SECRETS`."""
    pod: Manifest = {
        **pull_secrets(image.pull_secrets),
        "containers": [_task(image, task, resources, secrets, mount("tmp", "/tmp"))],
        "volumes": [scratch("tmp"), config_volume("runner", bench.runner), *_secret_volumes(secrets)],
    }
    return job(owner, image, task, pod)


def _task(image: Image, task: Task, resources: Manifest, secrets: dict[str, str], *mounts: Manifest) -> Manifest:
    return {
        "name": "task",
        **runner(image, *task.arguments),
        "resources": resources,
        "volumeMounts": [
            *mounts,
            mount("runner", RUNNER, read_only=True),
            *(mount(f"secret-{folder}", f"{SECRETS}/{folder}", read_only=True) for folder in secrets),
        ],
    }


def _secret_volumes(secrets: dict[str, str], optional: Collection[str] = ()) -> list[Manifest]:
    volumes = [secret_volume(f"secret-{folder}", secret) for folder, secret in secrets.items()]
    for folder, volume in zip(secrets, volumes, strict=True):
        if folder in optional:
            volume["secret"]["optional"] = True
    return volumes
