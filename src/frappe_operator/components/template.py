"""The Job that makes a template: a new site with a list of apps, dumped before anybody uses it.

Its containers run one after the other. Only the first and the last have the password of MariaDB's root, and they do
not run Frappe.
"""

from collections.abc import Collection

from frappe_operator.components import frappe
from frappe_operator.components.frappe import BENCH_DIR, SECRETS, SITES, Task
from frappe_operator.components.pod import affinity, config_volume, mount, pull_secrets, scratch, secret_volume
from frappe_operator.components.storage import MOUNTS_COMMON, common_node
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.bench import Bench
from frappe_operator.model.image import Image
from frappe_operator.model.layer import layer_keys
from frappe_operator.model.sizing import resources
from frappe_operator.model.template import Template, job_name, scratch_database, store_database

PART = "template"
CPU = "10m"
"""Requested CPU: where CPU is short, the creation of a site that somebody waits for goes first."""


def make(bench: Bench, template: Template, keep: Collection[Template]) -> list[Manifest]:
    """The Job that makes a template. `keep`: the templates of the bench; all others are removed."""
    assert bench.facts is not None
    image = Image(bench.facts.pinned, bench.image.pull_policy, bench.image.pull_secrets)
    owner, names = bench.owner, bench.names
    database, store = (
        scratch_database(owner.namespace, owner.name, template),
        store_database(owner.namespace, owner.name),
    )
    site, bench_id = f"{template.key}.template.invalid", job_name(owner.name, template)
    redis = [f"--redis-cache-host={names.redis_cache}", f"--redis-queue-host={names.redis_queue}"]
    of_template = [f"--site={site}", f"--bench-id={bench_id}", f"--template={template.key}", "--out=/out"]
    in_store = [f"--database={database}", f"--store={store}"]
    root = mount("secret-database-admin", f"{SECRETS}/database-admin", read_only=True)
    password = mount("redis", f"{SECRETS}/redis", read_only=True)
    task = Task(bench_id, PART, ["publish-template", *of_template, *in_store, *redis], ",".join(template.apps))
    # No input: the Job goes on when the bench wants another template as well.
    others = f"--keep={','.join(each.key for each in keep)}"
    layers = bench.facts.layers
    size = _in_background(bench.jobs)

    def container(name: str, arguments: list[str], *mounts: Manifest, amounts: Manifest = size) -> Manifest:
        return frappe.task_container(image, name, arguments, amounts, *mounts)

    layout = [
        *("layout", f"--site={site}", "--view=/view", "--config=/config", f"--bench-id={bench_id}"),
        *(*redis, f"--socketio-port={frappe.SOCKETIO_PORT}"),
        *([f"--layers={layer_keys(layers)}"] if layers else []),
    ]
    prepare = ["prepare-template", *in_store, f"--owner={owner.namespace}/{owner.name}/templates"]
    pod: Manifest = {
        **pull_secrets(bench.image.pull_secrets),
        **affinity(*(common_node(bench) if layers else [])),
        "initContainers": [
            container(
                "layout",
                layout,
                *(mount("sites", "/view"), mount("config", "/config"), password),
                *frappe.layer_mounts(layers),
                amounts=resources("layout"),
            ),
            container("database", [*prepare, "--connection=/connection"], mount("connection", "/connection"), root),
            {
                **container(
                    "template",
                    ["make-template", *of_template, f"--apps={','.join(template.apps)}"],
                    *(
                        mount("sites", SITES),
                        mount("config", f"{BENCH_DIR}/config"),
                        mount("logs", f"{BENCH_DIR}/logs"),
                    ),
                    *(mount("out", "/out"), mount("connection", f"{SECRETS}/database", read_only=True)),
                    *frappe.layer_mounts(layers),
                ),
                "workingDir": SITES,
                # Without stream logging Frappe's commands write to logs/, and print less than with it.
                "env": [each for each in frappe.environment(layers) if each["name"] != "FRAPPE_STREAM_LOGGING"],
            },
        ],
        "containers": [container("task", [*task.arguments, others], mount("out", "/out"), root, password)],
        "volumes": [
            *(scratch(name) for name in ("sites", "config", "logs", "tmp", "out")),
            scratch("connection", memory=True),
            config_volume("runner", names.runner),
            secret_volume("redis", names.redis, "password"),
            secret_volume("secret-database-admin", names.mariadb_root),
            *([frappe.layers_volume(names.common)] if layers else []),
        ],
    }
    return [frappe.job(owner, image, task, pod, MOUNTS_COMMON if layers else None)]


def _in_background(amounts: Manifest) -> Manifest:
    """The field `resources` of a Job, with a smaller request of CPU if it requests any."""
    requests = amounts.get("requests", {})
    return {**amounts, "requests": {**requests, "cpu": CPU}} if "cpu" in requests else amounts
