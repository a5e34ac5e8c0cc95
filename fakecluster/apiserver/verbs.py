"""The verbs of the API: how objects are read and written, as in the real API server."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from typing import Any

import orjson

from fakecluster.apiserver import defaulting, structured_merge, validation
from fakecluster.apiserver.errors import (
    StatusError,
    already_exists,
    bad_request,
    conflict,
    forbidden,
    invalid,
    not_found,
)
from fakecluster.apiserver.managed_fields import (
    FieldConflict,
    ManagerEntry,
    Managers,
    after,
    applied,
    rendered,
    spelled,
    times,
)
from fakecluster.apiserver.store import Record, Store, WrittenRecord
from frappe_operator.api import kinds as api_kinds
from frappe_operator.kube import kinds
from frappe_operator.kube.kinds import Kind, Ref
from frappe_operator.kube.live import Custom, Live
from frappe_operator.kube.objects import Manifest

REPLICA_SET = Kind("apps", "v1", "ReplicaSet", "replicasets", Live)

SERVER_FIELDS = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "namespace",
)
"""Metadata that only the server writes."""
WITH_GENERATION = {"Deployment", "Ingress", "Job", "NetworkPolicy", "PodDisruptionBudget", "ReplicaSet", "StatefulSet"}
"""Built-in kinds that have a generation; every custom resource has."""
WITHOUT_STATUS = {"ConfigMap", "Event", "Lease", "NetworkPolicy", "Secret", "ServiceAccount", "StorageClass"}

Admission = Callable[[str, Ref, Manifest], None]
"""Sees every write (verb, object's address, object); may change the object or raise `StatusError`."""

START = datetime(2026, 1, 1, tzinfo=UTC)


class Api:
    """A cluster's API, without the network.

    `clock` gives seconds; timestamps count from a fixed day. `crds` are CustomResourceDefinitions: their kinds
    are pruned, defaulted and merged as they declare; other custom kinds are stored as they are sent.
    """

    def __init__(
        self,
        clock: Callable[[], float] = lambda: 0.0,
        more_kinds: Iterable[Kind] = (),
        crds: Iterable[Manifest] = (),
        store: Store | None = None,
    ) -> None:
        self.store = store or Store()
        self.clock = clock
        self.admission: list[Admission] = []
        self.kinds = {*kinds.BUILT_IN, *api_kinds.OWN, REPLICA_SET, *more_kinds}
        self.schemas = {_kind_of(crd): _schema_of(crd) for crd in crds}
        self.kinds |= self.schemas.keys()
        self._born = 0
        self._addresses = 0

    # --- reading

    def get(self, ref: Ref) -> Record:
        record = self.store.get(ref)
        if record is None:
            raise not_found(ref.kind, ref.name)
        return record

    def now(self) -> str:
        return (START + timedelta(seconds=self.clock())).strftime("%Y-%m-%dT%H:%M:%SZ")

    def seconds(self, time: str) -> float:
        """The clock's seconds of a time as `now` writes it."""
        return (datetime.fromisoformat(time) - START).total_seconds()

    # --- writing

    def create(self, obj: Manifest, manager: str = "", dry_run: bool = False) -> Record:
        """POST: the object must not exist."""
        obj = _copy(obj)
        metadata = obj["metadata"]
        if not metadata.get("name"):
            if not metadata.get("generateName"):
                raise bad_request("name or generateName is required")
            metadata["name"] = metadata["generateName"] + self._word()
        ref = self._address(obj)
        if self.store.get(ref) is not None:
            raise already_exists(ref)
        if metadata.get("resourceVersion"):
            raise bad_request("resourceVersion should not be set on objects to be created")
        return self._commit("create", ref, None, obj, ManagerEntry(manager, "Update"), None, dry_run=dry_run)

    def apply(
        self, config: Manifest, manager: str, force: bool = False, subresource: str = "", dry_run: bool = False
    ) -> tuple[Record, bool]:
        """Server-side apply; whether it made the object comes back as well."""
        config = _copy(config)
        if config["metadata"].get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        ref = self._address(config)
        live = self.store.get(ref)
        who = ManagerEntry(manager, "Apply", subresource)
        if live is None:
            if subresource:
                raise not_found(ref.kind, ref.name)
            if config["metadata"].get("uid"):
                uid = config["metadata"]["uid"]
                raise conflict(
                    ref, f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
                )
            self._without_foreign(ref, config, "")
            mine = applied({}, config, {}, who, self._shape(ref.kind))[1]
            return self._commit("apply", ref, None, config, who, mine, dry_run=dry_run), True
        self._guard(ref, live, config)
        self._without_foreign(ref, config, subresource)
        merged, mine = applied(_bare(live.obj), config, live.managers, who, self._shape(ref.kind))
        return self._commit("apply", ref, live, merged, who, mine, subresource, force, dry_run), False

    def merge(
        self, ref: Ref, patch: Manifest, manager: str = "", subresource: str = "", dry_run: bool = False
    ) -> Record:
        """A JSON merge patch."""
        live = self.get(ref)
        self._guard(ref, live, patch)
        new = _merge_patch(_bare(live.obj), _copy(patch))
        self._same_place(ref, new)
        who = ManagerEntry(manager, "Update", subresource)
        return self._commit("patch", ref, live, new, who, None, subresource, dry_run=dry_run)

    def replace(self, ref: Ref, obj: Manifest, manager: str = "", subresource: str = "") -> Record:
        """PUT."""
        live = self.get(ref)
        self._guard(ref, live, obj)
        self._same_place(ref, obj)
        return self._commit(
            "update", ref, live, _copy(obj), ManagerEntry(manager, "Update", subresource), None, subresource
        )

    def delete(self, ref: Ref, uid: str = "", resource_version: str = "", propagation: str = "") -> Record | None:
        """DELETE. The record when finalizers or a grace period keep the object, None when it is gone."""
        live = self.get(ref)
        metadata = live.obj["metadata"]
        for field, wanted, having in (
            ("UID", uid, metadata["uid"]),
            ("ResourceVersion", resource_version, metadata["resourceVersion"]),
        ):
            if wanted and wanted != having:
                raise conflict(
                    ref, f"the {field} in the precondition ({wanted}) does not match the {field} in record ({having})"
                )
        self._admit("delete", ref, live.obj)
        # Jobs orphan their pods unless asked otherwise: Kubernetes keeps this for old clients.
        policy = propagation or ("Orphan" if ref.kind == kinds.JOB else "Background")
        waiting = {"Orphan": "orphan", "Foreground": "foregroundDeletion"}.get(policy, "")
        running = ref.kind == kinds.POD and live.obj["spec"].get("nodeName")
        finalizers = list(metadata.get("finalizers", []))
        if waiting and waiting not in finalizers and self._has_dependents(metadata["uid"]):
            finalizers.append(waiting)
        if ref.kind == kinds.NAMESPACE:
            finalizers = finalizers or ["kubernetes"]
        if not finalizers and not running:
            self.store.remove(ref)
            return None
        if "deletionTimestamp" in metadata and finalizers == metadata.get("finalizers", []):
            return live
        new = _copy(live.obj)
        new["metadata"].setdefault("deletionTimestamp", self.now())
        grace = new["spec"].get("terminationGracePeriodSeconds", 30) if running else 0
        new["metadata"].setdefault("deletionGracePeriodSeconds", grace)
        if "generation" in new["metadata"] and "deletionTimestamp" not in metadata:
            new["metadata"]["generation"] += 1
        if finalizers and ref.kind != kinds.NAMESPACE:
            new["metadata"]["finalizers"] = finalizers
        if ref.kind == kinds.NAMESPACE:
            new["status"]["phase"] = "Terminating"
        return self.store.put(ref, new, live.managers)

    def finish(self, ref: Ref) -> None:
        """Removes a deleted pod, as the kubelet does, or a deleted namespace, as its controller does."""
        if "deletionTimestamp" in self.get(ref).obj["metadata"]:
            self.store.remove(ref)

    # --- the one way into the store

    def _commit(
        self,
        verb: str,
        ref: Ref,
        live: Record | None,
        new: Manifest,
        who: ManagerEntry,
        mine: frozenset[structured_merge.Path] | None,
        subresource: str = "",
        force: bool = True,
        dry_run: bool = False,
    ) -> Record:
        self._keep_fixed(ref, live, new, subresource)
        if live is None:
            self._namespace_is_open(ref)
        self._admit(verb, ref, new)
        if live is None and ref.kind == kinds.PVC:
            self._give_class(new)
        if subresource == "status" and ref.kind not in self.schemas:
            defaulting.tidy(new.get("status"), "status")
        else:
            self._fill(ref, new)
        was = _bare(live.obj) if live is not None else {}
        try:
            held, shape = live.managers if live else {}, self._shape(ref.kind)
            managers = after(was, new, held, who, shape, mine, force, self._hidden(ref.kind, subresource))
        except FieldConflict as overlap:
            raise _conflict_of(overlap) from None
        if live is None and ref.kind == kinds.SERVICE:
            self._give_address(new)
        if live is None and ref.kind == kinds.JOB:
            defaulting.identify(new)
        if not subresource:
            validation.check(ref, live.obj if live else None, new)
        if live is not None and ref.kind == kinds.PVC:
            validation.expandable(ref, live.obj, new, self._class_of(new))
        if live is not None and new == was and managers == live.managers:
            return live
        if subresource != "status":
            self._count(ref, live, new)
        if ref.kind == kinds.PVC and live is None:
            # Kept until no pod uses it; the pvc-protection controller takes it off.
            new["metadata"].setdefault("finalizers", []).append("kubernetes.io/pvc-protection")
        if managers:
            new["metadata"]["managedFields"] = self._rendered(ref, new, live, managers)
        if dry_run:
            new["metadata"]["resourceVersion"] = live.obj["metadata"]["resourceVersion"] if live else ""
            return WrittenRecord(new, managers)
        metadata = new["metadata"]
        kept = metadata.get("finalizers") or ref.kind in (kinds.POD, kinds.NAMESPACE)
        if "deletionTimestamp" in metadata and not kept:
            assert live is not None
            metadata["resourceVersion"] = live.obj["metadata"]["resourceVersion"]
            self.store.remove(ref)
            return WrittenRecord(new, managers)
        return self.store.put(ref, new, managers)

    def _keep_fixed(self, ref: Ref, live: Record | None, new: Manifest, subresource: str) -> None:
        """Restores what a write to this resource or subresource cannot change."""
        metadata = new["metadata"]
        for name in ("managedFields", "resourceVersion", "selfLink"):
            metadata.pop(name, None)
        if live is None:
            for name in SERVER_FIELDS:
                metadata.pop(name, None)
            if ref.namespace:
                metadata["namespace"] = ref.namespace
            metadata["uid"] = self._uid()
            metadata["creationTimestamp"] = self.now()
            if self._has_status(ref.kind):
                new.pop("status", None)
            return
        old = live.obj
        for name in SERVER_FIELDS:
            if name in old["metadata"]:
                metadata[name] = old["metadata"][name]
            else:
                metadata.pop(name, None)
        if subresource == "status":
            status, annotations = new.get("status"), metadata.get("annotations")
            new.clear()
            new.update(_bare(old))
            _set(new, "status", status)
            if ref.kind == kinds.DEPLOYMENT:
                # Its controller numbers templates through this door.
                _set(new["metadata"], "annotations", annotations)
        elif self._has_status(ref.kind):
            _set(new, "status", old.get("status"))

    def _fill(self, ref: Ref, new: Manifest) -> None:
        if ref.kind in self.schemas:
            whole = defaulting.declared({k: v for k, v in new.items() if k != "metadata"}, self.schemas[ref.kind])
            metadata = new["metadata"]
            new.clear()
            new.update({"apiVersion": ref.kind.api_version, "kind": ref.kind.kind, **whole, "metadata": metadata})
        elif self._built_in(ref.kind):
            defaulting.fill(ref.kind.kind, new)
        defaulting.tidy(new["metadata"], "metadata")

    def _count(self, ref: Ref, live: Record | None, new: Manifest) -> None:
        if ref.kind.kind not in WITH_GENERATION and self._built_in(ref.kind):
            return
        if live is None:
            new["metadata"]["generation"] = 1
            return
        ignored = {"metadata", "status"} if self._has_status(ref.kind) else {"metadata"}
        old = live.obj
        changed = any(old.get(name) != new.get(name) for name in (old.keys() | new.keys()) - ignored)
        if ref.kind == kinds.DEPLOYMENT:
            changed |= old["metadata"].get("annotations") != new["metadata"].get("annotations")
        new["metadata"]["generation"] = old["metadata"]["generation"] + changed

    def _rendered(self, ref: Ref, new: Manifest, live: Record | None, managers: Managers) -> list[Manifest]:
        before = live.managers if live else {}
        changed = times(live.obj["metadata"].get("managedFields", [])) if live else {}
        changed |= {who: self.now() for who, owned in managers.items() if before.get(who) != owned}
        return rendered(managers, ref.kind.api_version, changed)

    def _guard(self, ref: Ref, live: Record, sent: Manifest) -> None:
        metadata, having = sent.get("metadata") or {}, live.obj["metadata"]
        if metadata.get("resourceVersion", having["resourceVersion"]) != having["resourceVersion"]:
            raise conflict(
                ref, "the object has been modified; please apply your changes to the latest version and try again"
            )
        if metadata.get("uid", having["uid"]) != having["uid"]:
            # Not a conflict: to the real server it is an attempt to change what cannot change.
            raise invalid(ref, "metadata.uid", f'Invalid value: "{metadata["uid"]}": field is immutable')

    def _same_place(self, ref: Ref, new: Manifest) -> None:
        named = new["metadata"].get("name")
        if named != ref.name:
            raise bad_request(f"the name of the object ({named}) does not match the name on the URL ({ref.name})")

    def _without_foreign(self, ref: Ref, config: Manifest, subresource: str) -> None:
        """Drops `status` from writes to the main resource, and everything else from writes to `status`."""
        if subresource == "status":
            for name in config.keys() - {"apiVersion", "kind", "metadata", "status"}:
                del config[name]
            config["metadata"] = {"name": ref.name}
        elif self._has_status(ref.kind):
            config.pop("status", None)

    def _namespace_is_open(self, ref: Ref) -> None:
        if not ref.kind.namespaced:
            return
        namespace = self.store.get(Ref(kinds.NAMESPACE, "", ref.namespace))
        if namespace is None:
            raise not_found(kinds.NAMESPACE, ref.namespace)
        if "deletionTimestamp" in namespace.obj["metadata"]:
            why = f"unable to create new content in namespace {ref.namespace} because it is being terminated"
            refused = forbidden(ref, why)
            refused.details["causes"] = [{"reason": "NamespaceTerminating", "message": why}]
            raise refused

    def _admit(self, verb: str, ref: Ref, obj: Manifest) -> None:
        for admit in self.admission:
            admit(verb, ref, obj)

    def _has_dependents(self, uid: str) -> bool:
        return any(
            owner["uid"] == uid
            for having in self.store.objects.values()
            for record in having.values()
            for owner in record.obj["metadata"].get("ownerReferences", [])
        )

    def _class_of(self, claim: Manifest) -> Manifest | None:
        record = self.store.get(Ref(kinds.STORAGE_CLASS, "", claim["spec"].get("storageClassName", "")))
        return record.obj if record else None

    def _give_class(self, claim: Manifest) -> None:
        """The default StorageClass, for a claim that names none."""
        for record in self.store.list(kinds.STORAGE_CLASS):
            annotations = record.obj["metadata"].get("annotations", {})
            if annotations.get("storageclass.kubernetes.io/is-default-class") == "true":
                claim["spec"].setdefault("storageClassName", record.obj["metadata"]["name"])

    def _give_address(self, service: Manifest) -> None:
        spec = service["spec"]
        if spec["type"] != "ExternalName" and not spec.get("clusterIP"):
            self._addresses += 1
            spec["clusterIP"] = str(IPv4Address("10.96.0.0") + self._addresses)
            spec["clusterIPs"] = [spec["clusterIP"]]

    def _address(self, obj: Manifest) -> Ref:
        for kind in self.kinds:
            if (kind.api_version, kind.kind) == (obj.get("apiVersion"), obj.get("kind")):
                namespace = obj["metadata"].get("namespace", "") if kind.namespaced else ""
                return Ref(kind, namespace, obj["metadata"]["name"])
        raise StatusError(404, "NotFound", "the server could not find the requested resource")

    def _shape(self, kind: Kind) -> structured_merge.Shape:
        if self._built_in(kind):
            return structured_merge.built_in("", "")
        return structured_merge.Custom(self.schemas.get(kind, {}))

    def _built_in(self, kind: Kind) -> bool:
        return kind not in kinds.ADDED and ("." not in kind.group or kind.group.endswith(".k8s.io"))

    def _has_status(self, kind: Kind) -> bool:
        return kind.kind not in WITHOUT_STATUS

    def _hidden(self, kind: Kind, subresource: str) -> Callable[[str], bool]:
        if subresource == "status":
            return lambda name: name != "status"
        has_status = self._has_status(kind)
        return lambda name: has_status and name == "status"

    def _uid(self) -> str:
        self._born += 1
        return f"{self._born:08x}-0000-4000-8000-{self._born * 0x9E3779B1 & 0xFFFFFFFFFFFF:012x}"

    def _word(self) -> str:
        self._born += 1
        number, word = self._born, ""
        for _ in range(5):
            number, digit = divmod(number, 24)
            word = "bcdfghjklmnpqrstvwxz2456"[digit] + word
        return word


def _copy(obj: Manifest) -> Manifest:
    copied: Manifest = orjson.loads(orjson.dumps(obj))
    return copied


def _bare(obj: Manifest) -> Manifest:
    """A copy that may be changed, less what the server alone keeps."""
    metadata = {k: v for k, v in obj["metadata"].items() if k not in {"managedFields", "resourceVersion"}}
    return _copy({**obj, "metadata": metadata})


def _set(obj: Manifest, name: str, value: Any) -> None:
    if value is None:
        obj.pop(name, None)
    else:
        obj[name] = value


def _merge_patch(live: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    result = dict(live) if isinstance(live, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _merge_patch(result.get(name), value)
    return result


def _conflict_of(overlap: FieldConflict) -> StatusError:
    causes = [
        {"reason": "FieldManagerConflict", "message": f'conflict with "{who.manager}"', "field": spelled(path)}
        for who, paths in overlap.held.items()
        for path in sorted(paths, key=spelled)
    ]
    told = "; ".join(f"{cause['message']}: {cause['field']}" for cause in causes)
    plural = "conflict" if len(causes) == 1 else "conflicts"
    return StatusError(409, "Conflict", f"Apply failed with {len(causes)} {plural}: {told}", causes=causes)


def _kind_of(crd: Manifest) -> Kind:
    spec = crd["spec"]
    version = next(version for version in spec["versions"] if version["storage"])
    names = spec["names"]
    api_version = f"{spec['group']}/{version['name']}"
    if known := api_kinds.ALL.get((api_version, names["kind"])):
        return known
    return Kind(spec["group"], version["name"], names["kind"], names["plural"], Custom, spec["scope"] == "Namespaced")


def _schema_of(crd: Manifest) -> Mapping[str, Any]:
    version = next(version for version in crd["spec"]["versions"] if version["storage"])
    schema: Mapping[str, Any] = version["schema"]["openAPIV3Schema"]
    return schema
