"""What runs inside the pods, as far as the operator can tell from outside: the runner's commands and their lasting
effects on volumes and databases, the proxies' maps, and the answers over HTTP.

The effects live where the real ones do, on volumes: they outlast pods, Jobs, and the operator.
"""

import asyncio
import base64
import json
from collections import Counter
from collections.abc import Mapping
from fnmatch import fnmatch
from typing import Any, NamedTuple

from fakecluster.apiserver.verbs import Api
from fakecluster.controllers.kubelet import Exit
from fakecluster.controllers.simulator import Action, Simulator
from fakecluster.controllers.workloads import ready
from frappe_operator.api import kinds as api_kinds
from frappe_operator.api.labels import BENCH_LABEL, COMPONENT_LABEL, SITE_LABEL
from frappe_operator.components import pages, redis
from frappe_operator.kube import kinds
from frappe_operator.kube.kinds import Ref
from frappe_operator.kube.names import JOB_LABEL
from frappe_operator.kube.objects import Manifest
from frappe_operator.runtime.client.fetch import Answer

VERSIONS = {"frappe": "15.50.0", "erpnext": "15.48.0", "hrms": "15.30.0"}


BROKEN = "broken"
"""In the tag of an image whose migration fails on every site."""


class Effect(NamedTuple):
    """Something that must happen once: what, and to which volume or database."""

    what: str
    where: str


class Disk(dict[str, Any]):
    """What is on one volume."""


class Frappe:
    """Programs in pods, and what they left behind."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.versions = dict(VERSIONS)
        self.releases: dict[str, dict[str, str]] = {}
        """By digest of an image: the versions in it, where they are not the usual ones."""
        self.failing_migrations: set[str] = set()
        """Sites whose data cannot be migrated, by `siteName`: a patch fails, and the dump is put back."""
        self.unremovable: set[str] = set()
        """Apps that no site can remove: a hook fails, and the dump is put back."""
        self.mixed: list[str] = []
        """Pods that ran another release than the one that the data of their site was of."""
        self.ledger: list[Effect] = []
        """Every lasting effect, in order."""
        self.disks: dict[str, Disk] = {}
        """By the uid of the claim."""
        self.script: dict[str, list[Exit | None]] = {}
        """By pattern of the Job's name: how its next runs end, instead of well. The effect happens only when well."""
        self.external: dict[str, str] = {}
        """By host, the password that the user has in a database server of somebody else's."""
        self.maintenance: set[str] = set()
        """Sites in maintenance mode, by name of the FrappeSite."""
        self.pings: Counter[str] = Counter()
        """By host, the number of requests to a proxy, except health checks."""
        self.unbuildable: dict[str, tuple[str, str]] = {}
        """Apps whose layer cannot be built, with reason and message."""
        self.silent: set[str] = set()
        """Sites that do not answer, by name of the FrappeSite."""
        self.stale: set[str] = set()
        """Names of proxy pods that a changed map does not reach."""
        self.refused: set[str] = set()
        """Hosts whose entries nginx refuses: proxies leave them out."""
        self.started_with: Mapping[str, Mapping[str, Manifest]] = {}
        """What each pod found in Secrets when it began, as the kubelet knows it: a server reads its password then."""
        self._maps: dict[str, Manifest] = {}
        """By uid of a proxy's pod: the map it has loaded."""

    # --- Jobs

    def program(self, pod: Manifest, attempt: int) -> Exit | None:
        """Runs the command of a Job's pod."""
        job = pod["metadata"]["labels"][JOB_LABEL]
        for pattern, ends in self.script.items():
            if ends and fnmatch(job, pattern):
                end = ends.pop(0)
                if end is None:
                    # It hangs until the script of the test changes.
                    ends.insert(0, None)
                    return None
                if end.code:
                    return end
        command, *flags = pod["spec"]["containers"][0]["args"]
        values = {name: value for name, _, value in (flag.removeprefix("--").partition("=") for flag in flags)}
        commands = {
            "inspect-image": self.inspect_image,
            "prepare-database": self.prepare_database,
            "drop-database": self.drop_database,
            "drop-keys": self.drop_keys,
            "drop-assets": self.drop_assets,
            "check-database": self.check_database,
            "create-site": self.create_site,
            "configure-site": self.configure_site,
            "install-apps": self.install_apps,
            "upgrade-site": self.upgrade_site,
            "publish-template": self.publish_template,
            "build-app": self.build_app,
            "remove-layers": self.remove_layers,
        }
        return _said(*commands[command](pod, values))

    def inspect_image(self, pod: Manifest, flags: dict[str, str]) -> tuple[bool, str, Manifest]:
        """Publishes assets, and reports the contents of the image."""
        disk = self._disk(pod, "common")
        disk.setdefault("assets", set()).add(flags["image-key"])
        self.ledger.append(Effect("looked into image", flags["image-key"]))
        versions = self._versions(pod)
        return (
            True,
            "inspect-image has succeeded",
            {
                "frappeVersion": versions["frappe"],
                "python": "3.11",
                "apps": versions,
                "assets": 32 << 20,
            },
        )

    def build_app(self, pod: Manifest, flags: dict[str, str]) -> tuple[bool, str, Manifest]:
        """Fetches an app and builds it into a layer, once."""
        app, key = flags["app"], flags["key"]
        if trouble := self.unbuildable.get(app):
            return False, trouble[1], {"reason": trouble[0], "blocked": True}
        built = self._disk(pod, "common").setdefault("layers", {})
        if key not in built:
            built[key] = app
            self.ledger.append(Effect(f"built {app}", key))
        layer = {
            "app": app,
            "key": key,
            "url": flags["url"],
            "ref": flags["branch"] or flags["version"] or "HEAD",
            "commit": key.ljust(40, "0"),
            "version": self.versions.get(app, "1.0.0"),
            "size": 5 << 20,
        }
        return True, "build-app has succeeded", {"layer": layer}

    def remove_layers(self, pod: Manifest, flags: dict[str, str]) -> tuple[bool, str, Manifest]:
        """Removes the layers that are not named."""
        built = self._disk(pod, "common").setdefault("layers", {})
        for key in [key for key in built if key not in flags["keep"].split(",")]:
            del built[key]
        return True, "remove-layers has succeeded", {}

    def prepare_database(self, pod: Manifest, flags: dict[str, str]) -> tuple[bool, str, Manifest]:
        """Makes the database in the server whose Secret is mounted, once."""
        server, connection = self._server(pod), self._secret(pod, "secret-database")
        if server is None:
            return False, "MariaDB does not answer", {}
        databases = server.setdefault("databases", {})
        if connection["database"] not in databases:
            databases[connection["database"]] = {"password": connection["password"]}
            self.ledger.append(Effect("made database", connection["database"]))
        databases[connection["database"]]["password"] = connection["password"]
        if "template" in flags and flags["site"] not in self._disk(pod, "files").get("sites", {}):
            found = server.get("templates", {}).get(flags["template"])
            self._disk(pod, "files")["template"] = found and (flags["template"], found)
        return True, "prepare-database has succeeded", {}

    def publish_template(self, pod: Manifest, flags: dict[str, str]) -> tuple[bool, str, Manifest]:
        """Makes a site in a database of its own, keeps what is in it, and drops the database."""
        server = self._server(pod)
        if server is None:
            return False, "MariaDB does not answer", {}
        made = next(each for each in pod["spec"]["initContainers"] if each["args"][0] == "make-template")
        apps = next(each for each in made["args"] if each.startswith("--apps=")).removeprefix("--apps=").split(",")
        kept = server.setdefault("templates", {})
        if flags["template"] not in kept:
            self.ledger.append(Effect("made template", ",".join(apps)))
        kept[flags["template"]] = apps
        for key in kept.keys() - {flags["template"], *flags["keep"].split(",")}:
            del kept[key]
        return True, "publish-template has succeeded", {}

    def drop_database(self, pod: Manifest, flags: dict[str, str]) -> tuple[bool, str, Manifest]:
        server, connection = self._server(pod), self._secret(pod, "secret-database")
        if server is None:
            return False, "MariaDB does not answer", {}
        if server.setdefault("databases", {}).pop(connection["database"], None) is not None:
            self.ledger.append(Effect("dropped database", connection["database"]))
        return True, "drop-database has succeeded", {}

    def drop_keys(self, pod: Manifest, flags: dict[str, str]) -> tuple[bool, str, Manifest]:
        """Removes a site's queues and cached values from the servers that are named."""
        for host in filter(None, (flags["redis-queue-host"], flags["redis-cache-host"])):
            keys = self._redis(pod["metadata"]["namespace"], host)
            if keys is None:
                return False, f"Redis at {host}:6379 cannot be reached", {"reason": "RedisUnavailable"}
            prefixes = [f"rq:queue:{each}:" for each in flags["bench-ids"].split(",")]
            prefixes += [f"{flags['database']}|"] if flags["database"] else []
            for key in [key for key in keys if key.startswith(tuple(prefixes))]:
                del keys[key]
        return True, "drop-keys has succeeded", {}

    def drop_assets(self, pod: Manifest, flags: dict[str, str]) -> tuple[bool, str, Manifest]:
        """Has the names of built assets read anew."""
        keys = self._redis(pod["metadata"]["namespace"], flags["redis-cache-host"])
        if keys is None:
            return False, "Redis cannot be reached", {"reason": "RedisUnavailable"}
        keys.pop("assets_json", None)
        return True, "drop-assets has succeeded", {}

    def check_database(self, pod: Manifest, flags: dict[str, str]) -> tuple[bool, str, Manifest]:
        """Takes the user's database for what it is: the first password it is given is its user's."""
        connection = self._secret(pod, "secret-database")
        self.external.setdefault(connection["host"], connection["password"])
        return True, "check-database has succeeded", {}

    def create_site(self, pod: Manifest, flags: dict[str, str]) -> tuple[bool, str, Manifest]:
        """Makes the site once: the mark is on its volume."""
        disk, site, admin = self._disk(pod, "files"), flags["site"], self._secret(pod, "secret-admin")
        if "set-password" in flags:
            self.prepare_database(pod, flags)
        refusal = self._refusal(pod)
        if refusal:
            return refusal
        made, facts = site in disk.setdefault("sites", {}), {}
        if not made:
            if "password" not in admin:
                return False, "There is no admin Secret", {"blocked": True, "reason": "SecretNotFound"}
            server = self._secret(pod, "secret-database")["host"].split(".")[0]
            disk["sites"][site] = {"apps": ["frappe"], "admin": admin["password"], "server": server}
            disk["sites"][site] |= {"release": flags["release"], "versions": self._versions(pod)}
            self.ledger.append(Effect("created site", site))
            key, apps = disk.pop("template", None) or ("", [])
            if key and key == flags.get("template"):
                disk["sites"][site]["apps"] = list(apps)
                self.ledger.append(Effect("copied site", site))
        if disk["sites"][site]["release"] != flags["release"]:
            # Data that was found there is migrated first.
            disk["sites"][site] |= {"release": flags["release"], "versions": self._versions(pod)}
            self.ledger.append(Effect("migrated", f"{site} to {flags['release']}"))
        disk["sites"][site] |= {"bench_id": flags["bench-id"], **self._configuration(pod, flags)}
        if not made:
            facts = {"apps": {app: self.versions[app] for app in disk["sites"][site]["apps"]}}
        return True, "create-site has succeeded", facts

    def configure_site(self, pod: Manifest, flags: dict[str, str]) -> tuple[bool, str, Manifest]:
        """Brings address and credentials into the site, if these credentials are taken."""
        site = self._disk(pod, "files").get("sites", {}).get(flags["site"])
        if site is None:
            return False, "There is no site", {}
        if "set-password" in flags:
            done = self.prepare_database(pod, flags)
            if not done[0]:
                return done
        refusal = self._refusal(pod)
        if refusal:
            return refusal
        site |= self._configuration(pod, flags)
        return True, "configure-site has succeeded", {}

    def _configuration(self, pod: Manifest, flags: dict[str, str]) -> Manifest:
        connection = self._secret(pod, "secret-database")
        address = {"host_name": flags["host-name"], "max_file_size": int(flags["max-file-size"])}
        return {**address, "connection": connection}

    def _refusal(self, pod: Manifest) -> tuple[bool, str, Manifest] | None:
        """The database's error for the credentials in the pod; None when it accepts them."""
        connection = self._secret(pod, "secret-database")
        if connection["password"] == self._password_of(pod["metadata"]["namespace"], connection):
            return None
        message = f"{connection['host']} rejects user {connection['username']}"
        return False, message, {"blocked": True, "reason": "DatabaseRefused"}

    def _password_of(self, namespace: str, connection: Manifest) -> str | None:
        """The password that the user of a connection has in its server."""
        if connection["host"] in self.external:
            return self.external[connection["host"]]
        claim = Ref(kinds.PVC, namespace, f"data-{connection['host'].split('.')[0]}-0")
        record = self.api.store.get(claim)
        disk = self.disks.get(record.obj["metadata"]["uid"], Disk()) if record else Disk()
        found = disk.get("databases", {}).get(connection["database"])
        return found and str(found["password"])

    def install_apps(self, pod: Manifest, flags: dict[str, str]) -> tuple[bool, str, Manifest]:
        site = self._disk(pod, "files").get("sites", {}).get(flags["site"])
        if site is None:
            return False, "There is no site", {}
        present = {**self.versions, **self._layers(pod)}
        if absent := [app for app in flags["apps"].split(",") if app and app not in present]:
            return False, f"{absent} is not in the image", {"blocked": True, "reason": "AppNotInImage"}
        for app in filter(None, flags["apps"].split(",")):
            if app not in site["apps"]:
                site["apps"].append(app)
                self.ledger.append(Effect(f"installed {app}", flags["site"]))
        return True, "install-apps has succeeded", {"apps": {app: present[app] for app in site["apps"]}}

    def _layers(self, pod: Manifest) -> dict[str, str]:
        """The apps of the layers that the pod mounts, with a version."""
        mounts = [each for each in pod["spec"]["containers"][0]["volumeMounts"] if each["name"] == "layers"]
        built = self._disk(pod, "layers").get("layers", {}) if mounts else {}
        return {built[mount["subPath"].removeprefix("layers/")]: "1.0.0" for mount in mounts}

    def upgrade_site(self, pod: Manifest, flags: dict[str, str]) -> tuple[bool, str, Manifest]:
        """Migrates the data of a site or removes apps, or leaves it as it is on a failure. Each attempt ends once."""
        site = self._disk(pod, "files").get("sites", {}).get(flags["site"])
        if site is None:
            return False, "There is no site", {}
        running = self._still_running(pod)
        if running:
            self.mixed.append(f"{running} runs while the data of {flags['site']} is migrated")
        if "remove-apps" in flags:
            return self._remove_apps(site, flags)
        if site["release"] == flags["release"]:
            return True, "upgrade-site has succeeded", {"outcome": "migrated", "release": site["release"]}
        failed = {"outcome": "failed", "patch": "erpnext.patches.v15_0.broken", "cause": "the patch is broken"}
        broken = BROKEN in pod["spec"]["containers"][0]["image"]
        if broken or flags["site"] in self.failing_migrations or site.get("failed") == flags["attempt"]:
            if site.get("failed") != flags["attempt"]:
                self.ledger.append(Effect("failed to migrate", f"{flags['site']} to {flags['release']}"))
            site["failed"] = flags["attempt"]
            return True, "upgrade-site has succeeded", {**failed, "release": site["release"]}
        site |= {"release": flags["release"], "versions": self._versions(pod)}
        self.ledger.append(Effect("migrated", f"{flags['site']} to {flags['release']}"))
        return True, "upgrade-site has succeeded", {"outcome": "migrated", "release": site["release"]}

    def _remove_apps(self, site: Disk, flags: dict[str, str]) -> tuple[bool, str, Manifest]:
        """Removes apps after a dump, once, unless one of them cannot be removed."""
        apps, said = flags["remove-apps"].split(","), {"release": site["release"]}
        present = [app for app in apps if app in site["apps"]]
        for app in present:
            if app in self.unremovable or site.get("failed") == flags["attempt"]:
                if site.get("failed") != flags["attempt"]:
                    self.ledger.append(Effect(f"failed to remove {app}", flags["site"]))
                site["failed"] = flags["attempt"]
                return True, "upgrade-site has succeeded", {**said, "outcome": "failed", "cause": "a hook is broken"}
        if present:
            self.ledger.append(Effect("dumped", flags["site"]))
        for app in present:
            site["apps"].remove(app)
            self.ledger.append(Effect(f"removed {app}", flags["site"]))
        return True, "upgrade-site has succeeded", {**said, "outcome": "migrated", "removed": sorted(apps)}

    def _versions(self, pod: Manifest) -> dict[str, str]:
        """The versions of the apps in the image that a pod runs."""
        main = next(each for each in pod["status"]["containerStatuses"] if each["name"] != "nginx")
        return self.releases.get(main["imageID"].partition("@")[2], self.versions)

    def _still_running(self, pod: Manifest) -> str:
        """The name of a running pod of the same site that is not the pod itself; empty when there is none."""
        site = pod["metadata"]["labels"][SITE_LABEL]
        for record in self.api.store.list(kinds.POD, pod["metadata"]["namespace"]):
            meta, phase = record.obj["metadata"], record.obj.get("status", {}).get("phase")
            mine = meta.get("labels", {}).get(SITE_LABEL) == site and meta["name"] != pod["metadata"]["name"]
            if mine and phase == "Running":
                return str(meta["name"])
        return ""

    def notice(self, pod: Manifest) -> None:
        """Notes a ready pod of a site that runs another release than the one that the data of the site is of."""
        labels = pod["metadata"].get("labels", {})
        if SITE_LABEL not in labels or JOB_LABEL in labels or not ready(pod):
            # A MariaDB of the site alone has another label.
            return
        claims = [
            each["persistentVolumeClaim"]["claimName"] for each in pod["spec"]["volumes"] if each["name"] == "files"
        ]
        if self.api.store.get(Ref(kinds.PVC, pod["metadata"]["namespace"], claims[0])) is None:
            return
        sites = self._disk(pod, "files").get("sites", {})
        for name, site in sites.items():
            if site.get("versions", self._versions(pod)) != self._versions(pod):
                self.mixed.append(f"{pod['metadata']['name']} runs another release than the data of {name}")

    # --- volumes and databases

    def databases(self) -> set[str]:
        """Names of all databases in all servers."""
        return {name for disk in self.disks.values() for name in disk.get("databases", {})}

    def sites(self) -> set[str]:
        """Names of all sites on all volumes that still exist."""
        uids = {record.obj["metadata"]["uid"] for record in self.api.store.list(kinds.PVC)}
        return {name for uid, disk in self.disks.items() if uid in uids for name in disk.get("sites", {})}

    def _disk(self, pod: Manifest, volume: str) -> Disk:
        claim = next(each for each in pod["spec"]["volumes"] if each["name"] == volume)["persistentVolumeClaim"][
            "claimName"
        ]
        return self._volume(pod["metadata"]["namespace"], claim)

    def _volume(self, namespace: str, claim: str) -> Disk:
        uid = self.api.get(Ref(kinds.PVC, namespace, claim)).obj["metadata"]["uid"]
        return self.disks.setdefault(uid, Disk())

    def _secret(self, pod: Manifest, volume: str) -> dict[str, str]:
        source = next(each for each in pod["spec"]["volumes"] if each["name"] == volume)["secret"]["secretName"]
        record = self.api.store.get(Ref(kinds.SECRET, pod["metadata"]["namespace"], source))
        data = record.obj["data"] if record else {}
        return {name: base64.b64decode(value).decode() for name, value in data.items()}

    def _server(self, pod: Manifest) -> Disk | None:
        """The volume of the MariaDB whose root password the pod has, while that server answers."""
        service = self._secret(pod, "secret-database-admin")["host"].split(".")[0]
        server = self.api.store.get(Ref(kinds.POD, pod["metadata"]["namespace"], f"{service}-0"))
        if server is None or not ready(server.obj):
            return None
        root = self._began_with(server.obj, f"{service}-root")
        if root is not None and root["password"] != self._secret(pod, "secret-database-admin")["password"]:
            return None
        claims = [each for each in server.obj["spec"]["volumes"] if "persistentVolumeClaim" in each]
        return self._volume(pod["metadata"]["namespace"], claims[0]["persistentVolumeClaim"]["claimName"])

    # --- queues and cached values

    def enqueue(self, name: str, job: str, namespace: str = "default") -> str:
        """A visitor of a site makes it queue a job and cache something; returns the key of the queue."""
        pod, bench_id = self._running(namespace, name, "gunicorn")
        bench = pod["metadata"]["labels"][BENCH_LABEL]
        database = self._database(namespace, name)
        queue, cache = (self._redis(namespace, f"{bench}-redis-{each}") for each in ("queue", "cache"))
        assert queue is not None
        assert cache is not None
        key = f"rq:queue:{bench_id}:default"
        queue.setdefault(key, []).append(job)
        cache[f"{database}|session"] = name
        return key

    def page(self, name: str, namespace: str = "default", component: str = "gunicorn") -> str:
        """The image whose assets a page names that a pod of the site renders: the one that is cached, else its own."""
        pod, _ = self._running(namespace, name, component)
        cache = self._redis(namespace, f"{pod['metadata']['labels'][BENCH_LABEL]}-redis-cache")
        assert cache is not None
        return str(cache.setdefault("assets_json", pod["spec"]["containers"][0]["image"]))

    def caches_assets(self, image: str, bench: str = "forge", namespace: str = "default") -> None:
        """A pod of that image, which found no names of assets, writes down its own."""
        cache = self._redis(namespace, f"{bench}-redis-cache")
        assert cache is not None
        cache["assets_json"] = image

    def executed(self, name: str, namespace: str = "default") -> list[str]:
        """The jobs that a site's worker finds in its queue."""
        pod, bench_id = self._running(namespace, name, "worker-default")
        queue = self._redis(namespace, f"{pod['metadata']['labels'][BENCH_LABEL]}-redis-queue")
        return [] if queue is None else list(queue.get(f"rq:queue:{bench_id}:default", []))

    def redis_keys(self, bench: str = "forge", namespace: str = "default") -> set[str]:
        """Every key in the two servers of a bench."""
        servers = [self._redis(namespace, f"{bench}-redis-{each}") for each in ("queue", "cache")]
        return {key for server in servers for key in server or {}}

    def _running(self, namespace: str, name: str, component: str) -> tuple[Manifest, str]:
        """A ready pod of a site, and the bench_id its configuration was laid out with."""
        for record in self.api.store.list(kinds.POD, namespace):
            labels = record.obj["metadata"].get("labels", {})
            if (labels.get(SITE_LABEL), labels.get(COMPONENT_LABEL)) == (name, component) and ready(record.obj):
                flags = record.obj["spec"]["initContainers"][0]["args"]
                found = next(flag for flag in flags if flag.startswith("--bench-id="))
                return record.obj, found.removeprefix("--bench-id=")
        raise AssertionError(f"no {component} of {name} runs")

    def _database(self, namespace: str, name: str) -> str:
        site = self.api.get(Ref(api_kinds.SITE, namespace, name)).obj
        return str(site["status"]["databaseName"])

    def _began_with(self, pod: Manifest, secret: str) -> dict[str, str] | None:
        """What a running pod read in a Secret when it began; None for one that did not read it."""
        data = self.started_with.get(pod["metadata"]["uid"], {}).get(secret)
        return data and {name: base64.b64decode(value).decode() for name, value in data.items()}

    def refused_by_redis(self, bench: str = "forge", namespace: str = "default") -> set[str]:
        """The running pods of sites that have another password than the bench's Redis servers."""
        secret, refused = f"{bench}-redis", set()
        running = [each.obj for each in self.api.store.list(kinds.POD, namespace) if ready(each.obj)]
        conf = [self._began_with(pod, secret) for pod in running if pod["metadata"]["name"].startswith(f"{secret}-")]
        for pod in running:
            labels, own = pod["metadata"]["labels"], self._began_with(pod, secret)
            if SITE_LABEL in labels and JOB_LABEL not in labels and own is not None:
                required = f"requirepass {redis.word(own['password'])}\n"
                if any(each is None or each["redis.conf"] != required for each in conf):
                    refused.add(pod["metadata"]["name"])
        return refused

    def _redis(self, namespace: str, host: str) -> Disk | None:
        """What is in a Redis server, while it answers: a queue's outlives its pod."""
        server = self.api.store.get(Ref(kinds.POD, namespace, f"{host}-0"))
        if server is None or not ready(server.obj):
            return None
        claims = [each for each in server.obj["spec"]["volumes"] if "persistentVolumeClaim" in each]
        if not claims:
            return self.disks.setdefault(server.obj["metadata"]["uid"], Disk())
        volume = self._volume(namespace, claims[0]["persistentVolumeClaim"]["claimName"])
        keys: Disk = volume.setdefault("keys", Disk())
        return keys

    # --- proxies and HTTP

    def maps(self, sim: Simulator, ref: Ref, pod: Manifest) -> Action | None:
        """A kubelet brings a changed map to a proxy, which loads it."""
        if not _is_proxy(pod) or not ready(pod) or pod["metadata"]["name"] in self.stale:
            return None
        current = self._current_map(pod)
        if current == self._maps.get(pod["metadata"]["uid"]):
            return None
        return Action("kubelet", ref, "new map", lambda: self._maps.update({pod["metadata"]["uid"]: current}))

    def _current_map(self, pod: Manifest) -> Manifest:
        sources = [each for volume in pod["spec"]["volumes"] for each in volume.get("projected", {}).get("sources", [])]
        (name,) = [each["configMap"]["name"] for each in sources if "configMap" in each]
        record = self.api.store.get(Ref(kinds.CONFIG_MAP, pod["metadata"]["namespace"], name))
        return dict(record.obj.get("data", {})) if record else {}

    async def fetch(self, url: str, host: str) -> Answer:
        """What answers over HTTP, inside the cluster."""
        await asyncio.sleep(0.01)
        address, path = url.removeprefix("http://").split("/", 1)
        ip = address.rsplit(":", 1)[0]
        proxies = [
            record.obj for record in self.api.store.list(kinds.POD) if _is_proxy(record.obj) and ready(record.obj)
        ]
        asked = [pod for pod in proxies if pod["status"]["podIP"] == ip] or self._behind(ip, proxies)
        if not asked:
            return Answer(0, f"Cannot connect to host {address}")
        proxy = asked[0]
        loaded = self._maps.get(proxy["metadata"]["uid"], {}).get("sites.map", "")
        site = "" if host in self.refused else _looked_up(loaded, host)
        if path == "-/upgrading":
            upgrading = self._maps.get(proxy["metadata"]["uid"], {}).get("upgrading.map", "")
            return Answer(200, f"{_looked_up(upgrading, host)}\n")
        if path != "healthz":
            self.pings[host] += 1
        if path == "healthz":
            return Answer(200, f"{site or ('refused' if self.refused else '-')}\n")
        if not site:
            return Answer(404, "")
        return self._ping(proxy["metadata"]["namespace"], site)

    def _behind(self, ip: str, pods: list[Manifest]) -> list[Manifest]:
        services = [record.obj for record in self.api.store.list(kinds.SERVICE)]
        selectors = [each["spec"]["selector"] for each in services if each["spec"].get("clusterIP") == ip]
        return [
            pod for pod in pods for wanted in selectors if wanted.items() <= pod["metadata"].get("labels", {}).items()
        ]

    def _ping(self, namespace: str, site: str) -> Answer:
        """Gunicorn's answer: it needs its pod, the site's files, and the database."""
        for record in self.api.store.list(kinds.POD, namespace):
            pod = record.obj
            labels = pod["metadata"].get("labels", {})
            if labels.get(COMPONENT_LABEL) != "gunicorn" or not ready(pod):
                continue
            made = self._disk(pod, "files").get("sites", {}).get(site)
            if made is None or labels[SITE_LABEL] in self.silent:
                continue
            server = self.api.store.get(Ref(kinds.POD, namespace, f"{made['server']}-0"))
            if server is not None and not ready(server.obj):
                return Answer(500, "Internal Server Error")
            if labels[SITE_LABEL] in self.maintenance:
                return Answer(503, "Session Stopped")
            connection = made["connection"]
            if connection["password"] != self._password_of(namespace, connection):
                return Answer(500, "Access denied")
            return Answer(200, '{"message":"pong"}')
        return Answer(503, pages.DOWN)


def _said(ok: bool, message: str, facts: Manifest) -> Exit:
    reason = "Succeeded" if ok else "DatabaseUnavailable"
    report = {"ok": ok, "reason": reason, "message": message, "blocked": False, **facts}
    return Exit(0 if ok else 64 if report["blocked"] else 1, json.dumps(report))


def _is_proxy(pod: Manifest) -> bool:
    labels = pod["metadata"].get("labels", {})
    return bool(labels.get(COMPONENT_LABEL) == "nginx" and BENCH_LABEL in labels)


def _looked_up(text: str, host: str) -> str:
    # The proxy stands `_` for the label of a wildcard host. To nginx a plain `default` is no host, and two backslashes
    # are one that says that it is.
    entries = dict(line.rstrip(";").split() for line in text.splitlines())
    around = f"_.{host.partition('.')[2]}"
    known = {name.removeprefix("\\\\"): value for name, value in entries.items() if name not in ("default", "include")}
    return str(known.get(host) or known.get(around, ""))
