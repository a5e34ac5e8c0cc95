"""The API server in memory does what the real one does: every test here runs against both."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from itertools import count
from typing import Any

import pytest

from fakecluster.apiserver.server import ApiServer
from fakecluster.apiserver.verbs import Api
from frappe_operator.kube.kinds import CONFIG_MAP, INGRESS, NAMESPACE, SECRET, SERVICE, Kind, Manifest, ref_of
from frappe_operator.runtime.client.http import HttpTransport
from frappe_operator.runtime.client.kubeconfig import find
from frappe_operator.runtime.client.transport import Transport

NUMBER = count(1)
JSON = {"Content-Type": "application/json"}
APPLY = {"Content-Type": "application/apply-patch+yaml"}
MERGE = {"Content-Type": "application/merge-patch+json"}


class Server:
    """An API server and a namespace in it that is this test's own."""

    def __init__(self, transport: Transport, namespace: str) -> None:
        self.transport = transport
        self.namespace = namespace

    async def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] = JSON, **query: Any
    ) -> tuple[int, Manifest]:
        sent = json.dumps(body).encode() if body is not None else None
        answer = await self.transport.request(
            method, path, query=query, headers={"Accept": "application/json", **headers}, body=sent, timeout=20
        )
        is_json = answer.headers["Content-Type"] == "application/json"
        return answer.status, json.loads(answer.body) if is_json else {}

    async def apply(
        self, manifest: Manifest, manager: str = "us", force: bool = True, subresource: str = ""
    ) -> tuple[int, Manifest]:
        ref = ref_of(manifest)
        path = ref.kind.path(self.namespace, ref.name, subresource)
        return await self.ask("PATCH", path, manifest, APPLY, fieldManager=manager, force=str(force).lower())

    async def applied(self, manifest: Manifest, manager: str = "us") -> Manifest:
        code, body = await self.apply(manifest, manager)
        assert code in (200, 201), body
        return body

    async def merge(self, kind: Kind, name: str, patch: Manifest, subresource: str = "") -> tuple[int, Manifest]:
        path = kind.path(self.namespace, name, subresource)
        return await self.ask("PATCH", path, patch, MERGE, fieldManager="someone")

    async def create(self, manifest: Manifest) -> tuple[int, Manifest]:
        return await self.ask("POST", ref_of(manifest).kind.path(self.namespace), manifest, fieldManager="someone")

    async def get(self, kind: Kind, name: str) -> tuple[int, Manifest]:
        return await self.ask("GET", kind.path(self.namespace, name))

    async def delete(self, kind: Kind, name: str, **options: Any) -> tuple[int, Manifest]:
        body = {"kind": "DeleteOptions", "apiVersion": "v1", **options}
        return await self.ask("DELETE", kind.path(self.namespace, name), body)

    def watch(self, kind: Kind, **query: str) -> "Watching":
        return Watching(self, kind, query)


class Watching:
    """The events of a watch, one after the other."""

    def __init__(self, server: Server, kind: Kind, query: dict[str, str]) -> None:
        self._server, self._kind, self._query = server, kind, query
        self._stack = AsyncExitStack()
        self._rest = b""

    async def __aenter__(self) -> "Watching":
        path = self._kind.path(self._server.namespace)
        stream = self._server.transport.stream(path, query={"watch": "1", **self._query}, timeout=20)
        answer = await self._stack.enter_async_context(stream)
        self.status = answer.status
        self._chunks = aiter(answer)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def next(self) -> tuple[str, Manifest]:
        while True:
            async with asyncio.timeout(20):
                while b"\n" not in self._rest:
                    self._rest += await anext(self._chunks)
            line, self._rest = self._rest.split(b"\n", 1)
            event = json.loads(line)
            # The real cluster puts a ConfigMap of its own into every namespace.
            if event["object"].get("metadata", {}).get("name") != "kube-root-ca.crt":
                return event["type"], event["object"]

    async def until(self, event: str) -> list[str]:
        """Names of the objects up to and with the first event of a type."""
        names = []
        while True:
            found, obj = await self.next()
            names.append(obj["metadata"].get("name", ""))
            if found == event:
                return names


async def never_mind() -> None:
    await asyncio.sleep(0)


@pytest.fixture(params=["memory", pytest.param("real", marks=pytest.mark.cluster)])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    namespace = f"world-{next(NUMBER)}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    if request.param == "memory":
        server = Server(ApiServer(Api(), never_mind), namespace)
        await server.ask("POST", NAMESPACE.path(), body)
        yield server
        return
    cluster = request.getfixturevalue("control_plane")
    async with HttpTransport(find(str(cluster.kubeconfig))) as transport:
        body["metadata"] = {"generateName": "world-"}
        server = Server(transport, "")
        _, made = await server.ask("POST", NAMESPACE.path(), body)
        server.namespace = made["metadata"]["name"]
        yield server
        await server.ask("DELETE", NAMESPACE.path("", server.namespace))


def config_map(name: str = "settings", *, metadata: Manifest | None = None, **data: str) -> Manifest:
    head = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **(metadata or {})}}
    return {**head, "data": data} if data else head


def deployment(*containers: Manifest, replicas: int | None = 2, **spec: Any) -> Manifest:
    pod = {"containers": list(containers) or [{"name": "web", "image": "web:1"}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "front"},
        "spec": {
            **({"replicas": replicas} if replicas is not None else {}),
            "selector": {"matchLabels": {"app": "front"}},
            "template": {"metadata": {"labels": {"app": "front"}}, "spec": pod},
            **spec,
        },
    }


def job(image: str = "one:1") -> Manifest:
    pod = {"restartPolicy": "Never", "containers": [{"name": "only", "image": image}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "once"},
        "spec": {"template": {"spec": pod}, "backoffLimit": 1},
    }


def claim(size: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "files"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "none-such",
            "resources": {"requests": {"storage": size}},
        },
    }


def version(obj: Manifest) -> str:
    found: str = obj["metadata"]["resourceVersion"]
    return found


def pod_of(workload: Manifest) -> Manifest:
    pod: Manifest = workload["spec"]["template"]["spec"]
    return pod


# --- server-side apply


async def test_an_apply_that_changes_nothing_leaves_the_resource_version(server: Server) -> None:
    """The real cluster's controllers write to a new Deployment too: one apply between two of their writes is enough."""
    before = await server.applied(deployment())
    async with asyncio.timeout(30):
        while version(after := await server.applied(deployment())) != version(before):
            before = after
    assert after["metadata"]["generation"] == 1


async def test_what_is_no_longer_applied_disappears(server: Server) -> None:
    await server.applied(config_map(a="1", b="2", metadata={"labels": {"x": "1", "y": "2"}}))
    after = await server.applied(config_map(a="1", metadata={"labels": {"x": "1"}}))
    assert after["data"] == {"a": "1"}
    assert after["metadata"]["labels"] == {"x": "1"}


async def test_what_another_manager_applied_as_well_stays(server: Server) -> None:
    await server.applied(config_map(a="1", b="2"))
    await server.applied(config_map(b="2"), "them")
    after = await server.applied(config_map(a="1"))
    assert after["data"] == {"a": "1", "b": "2"}


async def test_what_another_wrote_by_hand_stays_until_we_name_it(server: Server) -> None:
    await server.applied(config_map(a="1"))
    await server.merge(CONFIG_MAP, "settings", {"data": {"a": "9", "c": "3"}})
    after = await server.applied(config_map(b="2"))
    assert after["data"] == {"a": "9", "b": "2", "c": "3"}
    after = await server.applied(config_map(a="1", b="2"))
    assert after["data"] == {"a": "1", "b": "2", "c": "3"}


async def test_without_force_a_conflict_names_the_field(server: Server) -> None:
    await server.applied(config_map(a="1"))
    code, status = await server.apply(config_map(a="2"), "them", force=False)
    assert (code, status["reason"]) == (409, "Conflict")
    assert status["message"] == 'Apply failed with 1 conflict: conflict with "us": .data.a'
    code, _ = await server.apply(config_map(a="1"), "them", force=False)
    assert code == 200


async def test_a_sidecar_that_another_applied_stays_in_the_pod(server: Server) -> None:
    await server.applied(deployment({"name": "web", "image": "web:1"}, {"name": "old", "image": "old:1"}))
    theirs = deployment({"name": "mesh", "image": "mesh:1"}, replicas=None)
    await server.applied(theirs, "them")
    after = await server.applied(deployment({"name": "web", "image": "web:2"}))
    assert {each["name"]: each["image"] for each in pod_of(after)["containers"]} == {"web": "web:2", "mesh": "mesh:1"}


async def test_a_dropped_probe_goes_with_its_defaults(server: Server) -> None:
    probed = {"name": "web", "image": "web:1", "livenessProbe": {"httpGet": {"port": 80}}}
    before = await server.applied(deployment(probed))
    assert pod_of(before)["containers"][0]["livenessProbe"]["periodSeconds"] == 10
    after = await server.applied(deployment({"name": "web", "image": "web:1"}))
    assert "livenessProbe" not in pod_of(after)["containers"][0]


async def test_an_autoscaler_keeps_the_replicas_that_we_do_not_name(server: Server) -> None:
    await server.applied(deployment(replicas=None))
    code, _ = await server.merge(Kind("apps", "v1", "Deployment", "deployments"), "front", {"spec": {"replicas": 7}})
    assert code == 200
    after = await server.applied(deployment({"name": "web", "image": "web:2"}, replicas=None))
    assert after["spec"]["replicas"] == 7


async def test_replicas_that_we_let_go_fall_back_to_the_default(server: Server) -> None:
    await server.applied(deployment(replicas=3))
    after = await server.applied(deployment(replicas=None))
    assert after["spec"]["replicas"] == 1


async def test_ports_of_a_service_are_told_apart_by_port_and_protocol(server: Server) -> None:
    def service(*ports: Manifest) -> Manifest:
        head = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "front"}}
        return {**head, "spec": {"selector": {"app": "front"}, "ports": list(ports)}}

    first = await server.applied(service({"name": "http", "port": 80}))
    address = first["spec"]["clusterIP"]
    after = await server.applied(service({"name": "web", "port": 80, "targetPort": "http"}))
    assert after["spec"]["ports"] == [{"name": "web", "port": 80, "protocol": "TCP", "targetPort": "http"}]
    assert after["spec"]["clusterIP"] == address


async def test_entries_keep_the_order_of_the_last_who_named_them(server: Server) -> None:
    def env(*names: str) -> Manifest:
        values = [{"name": name, "value": "1"} for name in names]
        return deployment({"name": "web", "image": "web:1", "env": values})

    await server.applied(env("A", "B", "C"))
    await server.applied(env("X"), "them")
    after = await server.applied(env("C", "D", "A"))
    assert [each["name"] for each in pod_of(after)["containers"][0]["env"]] == ["C", "X", "D", "A"]


async def test_an_apply_with_the_uid_of_another_is_refused(server: Server) -> None:
    made = await server.applied(config_map(a="1"))
    other = "00000000-0000-0000-0000-000000000001"
    code, status = await server.apply(config_map(a="2", metadata={"uid": other}))
    assert (code, status["reason"]) == (422, "Invalid")
    assert "metadata.uid" in status["message"]
    assert "field is immutable" in status["message"]
    code, status = await server.apply(config_map("absent", a="2", metadata={"uid": made["metadata"]["uid"]}))
    assert (code, status["reason"]) == (409, "Conflict")


async def test_an_apply_or_patch_from_an_old_version_is_a_conflict(server: Server) -> None:
    made = await server.applied(config_map(a="1"))
    old = {"resourceVersion": made["metadata"]["resourceVersion"]}
    await server.applied(config_map(a="2"))
    assert (await server.apply(config_map(a="3", metadata=old)))[0] == 409
    assert (await server.merge(CONFIG_MAP, "settings", {"metadata": old, "data": {"a": "4"}}))[0] == 409


async def test_an_apply_from_a_version_that_nothing_has_only_creates(server: Server) -> None:
    only_create = {"resourceVersion": "1"}
    assert (await server.apply(config_map(a="1", metadata=only_create)))[0] == 201
    code, status = await server.apply(config_map(a="2", metadata=only_create))
    assert (code, status["reason"]) == (409, "Conflict")


async def test_two_controllers_are_one_too_many(server: Server) -> None:
    # Owners that exist: the real garbage collector is about.
    uids = {number: (await server.applied(config_map(f"o{number}")))["metadata"]["uid"] for number in (1, 2)}

    def owner(number: int) -> Manifest:
        return {"apiVersion": "v1", "kind": "ConfigMap", "name": f"o{number}", "uid": uids[number], "controller": True}

    await server.applied(config_map(metadata={"ownerReferences": [owner(1)]}))
    code, status = await server.apply(config_map(metadata={"ownerReferences": [owner(2)]}), "them")
    assert (code, status["reason"]) == (422, "Invalid")
    assert "Only one reference can have Controller set to true" in status["message"]
    after = await server.applied(config_map(metadata={"ownerReferences": [owner(2)]}))
    assert [each["name"] for each in after["metadata"]["ownerReferences"]] == ["o2"]


async def test_status_is_written_through_its_own_door_only(server: Server) -> None:
    def ingress(host: str, address: str) -> Manifest:
        head = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "front"}}
        return {**head, "spec": {"rules": [{"host": host}]}, "status": {"loadBalancer": {"ingress": [{"ip": address}]}}}

    def seen(obj: Manifest) -> tuple[str, str, int]:
        at = obj["status"]["loadBalancer"].get("ingress", [{"ip": ""}])[0]["ip"]
        return obj["spec"]["rules"][0]["host"], at, obj["metadata"]["generation"]

    made = await server.applied(ingress("a.example.com", "10.0.0.1"))
    assert seen(made) == ("a.example.com", "", 1)
    _, after = await server.merge(INGRESS, "front", ingress("b.example.com", "10.0.0.2"), "status")
    assert seen(after) == ("a.example.com", "10.0.0.2", 1)
    _, after = await server.merge(INGRESS, "front", ingress("b.example.com", "10.0.0.3"))
    assert seen(after) == ("b.example.com", "10.0.0.2", 2)
    _, after = await server.apply(ingress("c.example.com", "10.0.0.4"), subresource="status")
    assert seen(after) == ("b.example.com", "10.0.0.4", 2)


# --- what the server makes of what it is sent


async def test_quantities_have_one_form(server: Server) -> None:
    asked = {"cpu": "1000m", "memory": "0.5Gi", "ephemeral-storage": "1024Mi"}
    made = await server.applied(deployment({"name": "web", "image": "web:1", "resources": {"limits": asked}}))
    resources = pod_of(made)["containers"][0]["resources"]
    assert resources["limits"] == {"cpu": "1", "memory": "512Mi", "ephemeral-storage": "1Gi"}


async def test_resources_are_rounded_up_to_thousandths(server: Server) -> None:
    asked = {"cpu": "1.5m", "memory": "0.1Ki", "ephemeral-storage": "1.0001Ki"}
    made = await server.applied(deployment({"name": "web", "image": "web:1", "resources": {"limits": asked}}))
    resources = pod_of(made)["containers"][0]["resources"]
    assert resources["limits"] == {"cpu": "2m", "memory": "102400m", "ephemeral-storage": "1024103m"}


async def test_requests_are_taken_from_limits_in_pods_only(server: Server) -> None:
    limited = {"name": "web", "image": "web:1", "resources": {"limits": {"memory": "1Gi"}, "requests": {"cpu": "1"}}}
    made = await server.applied(deployment(limited))
    assert pod_of(made)["containers"][0]["resources"] == limited["resources"]
    alone = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": [limited]}}
    _, pod = await server.create(alone)
    assert pod["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "1", "memory": "1Gi"}


async def test_empty_fields_are_not_kept(server: Server) -> None:
    web = {"name": "web", "image": "web:1", "env": [{"name": "A", "value": ""}], "args": [], "securityContext": {}}
    mount = {"name": "tmp", "mountPath": "/tmp", "readOnly": False, "subPath": ""}
    web |= {"volumeMounts": [mount]}
    made = deployment(web)
    pod_of(made)["volumes"] = [{"name": "tmp", "emptyDir": {}}]
    pod_of(made)["nodeSelector"] = {}
    pod = pod_of(await server.applied(made))
    container = pod["containers"][0]
    assert container["env"] == [{"name": "A"}]
    assert container["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]
    assert container["securityContext"] == {}
    assert "args" not in container
    assert "nodeSelector" not in pod
    assert pod["volumes"] == [{"name": "tmp", "emptyDir": {}}]


async def test_text_in_a_secret_becomes_data(server: Server) -> None:
    head = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}}
    _, made = await server.create({**head, "stringData": {"password": "pear"}})
    assert made["data"] == {"password": "cGVhcg=="}
    assert made["type"] == "Opaque"
    assert "stringData" not in made


# --- refusals


async def test_a_job_does_not_change(server: Server) -> None:
    await server.applied(job())
    code, status = await server.apply(job("two:1"))
    assert (code, status["reason"]) == (422, "Invalid")
    assert "field is immutable" in status["message"]


async def test_a_job_that_is_applied_again_is_left_alone(server: Server) -> None:
    made = await server.applied(job())
    again = await server.applied(job())
    assert made["spec"] == again["spec"]
    assert made["metadata"]["generation"] == again["metadata"]["generation"]


async def test_a_selector_does_not_change(server: Server) -> None:
    await server.applied(deployment())
    other = deployment(selector={"matchLabels": {"app": "back"}})
    other["spec"]["template"]["metadata"]["labels"] = {"app": "back"}
    code, status = await server.apply(other)
    assert (code, status["reason"]) == (422, "Invalid")
    assert "spec.selector" in status["message"]


async def test_a_claim_does_not_shrink(server: Server) -> None:
    await server.applied(claim("2Gi"))
    assert (await server.apply(claim("2048Mi")))[0] == 200
    code, status = await server.apply(claim("1Gi"))
    assert (code, status["reason"]) == (422, "Invalid")


@pytest.mark.parametrize(
    "metadata",
    [{"labels": {"a": "x" * 64}}, {"labels": {"a": "-x"}}, {"labels": {"/a": "x"}}, {"finalizers": ["plain"]}],
)
async def test_bad_metadata_is_refused(server: Server, metadata: Manifest) -> None:
    code, status = await server.apply(config_map(metadata=metadata))
    assert (code, status["reason"]) == (422, "Invalid")


@pytest.mark.parametrize("name", ["Upper", "under_score", "-dash", "dot.", "x" * 254])
async def test_a_bad_name_is_refused(server: Server, name: str) -> None:
    assert (await server.apply(config_map(name)))[0] == 422


def break_image(obj: Manifest) -> None:
    pod_of(obj)["containers"][0]["image"] = ""


def break_mount(obj: Manifest) -> None:
    pod_of(obj)["containers"][0]["volumeMounts"] = [{"name": "absent", "mountPath": "/x"}]


def break_request(obj: Manifest) -> None:
    pod_of(obj)["containers"][0]["resources"] = {"requests": {"cpu": "2"}, "limits": {"cpu": "1500m"}}


def break_labels(obj: Manifest) -> None:
    obj["spec"]["template"]["metadata"]["labels"] = {"app": "other"}


def break_restart(obj: Manifest) -> None:
    pod_of(obj)["restartPolicy"] = "Never"


def break_port(obj: Manifest) -> None:
    pod_of(obj)["containers"][0]["ports"] = [{"name": "a-name-that-is-long", "containerPort": 80}]


def break_strategy(obj: Manifest) -> None:
    obj["spec"]["strategy"] = {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}


@pytest.mark.parametrize(
    "broken",
    [break_image, break_mount, break_request, break_labels, break_restart, break_port, break_strategy],
)
async def test_a_bad_pod_is_refused(server: Server, broken: Callable[[Manifest], None]) -> None:
    bad = deployment()
    broken(bad)
    code, status = await server.apply(bad)
    assert (code, status["reason"]) == (422, "Invalid"), status["message"]


async def test_absent_and_existing_things_say_so(server: Server) -> None:
    code, status = await server.get(CONFIG_MAP, "absent")
    assert (code, status["reason"]) == (404, "NotFound")
    assert status["message"] == 'configmaps "absent" not found'
    assert (await server.create(config_map()))[0] == 201
    code, status = await server.create(config_map())
    assert (code, status["reason"]) == (409, "AlreadyExists")
    code, status = await server.ask("POST", CONFIG_MAP.path("no-such-namespace"), config_map())
    assert (code, status["message"]) == (404, 'namespaces "no-such-namespace" not found')
    code, status = await server.ask("GET", "/apis/example.com/v1/things")
    assert code == 404


# --- deleting


async def test_a_delete_is_of_the_object_that_was_meant(server: Server) -> None:
    made = await server.applied(config_map())
    wrong = {"uid": "00000000-0000-0000-0000-000000000001"}
    code, status = await server.delete(CONFIG_MAP, "settings", preconditions=wrong)
    assert (code, status["reason"]) == (409, "Conflict")
    code, _ = await server.delete(CONFIG_MAP, "settings", preconditions={"resourceVersion": "1"})
    assert code == 409
    code, status = await server.delete(CONFIG_MAP, "settings", preconditions={"uid": made["metadata"]["uid"]})
    assert (code, status["status"]) == (200, "Success")
    assert (await server.delete(CONFIG_MAP, "settings"))[0] == 404


async def test_a_finalizer_keeps_an_object_until_it_is_taken_off(server: Server) -> None:
    await server.applied(config_map(metadata={"finalizers": ["example.com/hold"]}))
    code, held = await server.delete(CONFIG_MAP, "settings")
    assert code == 200
    assert held["metadata"]["deletionTimestamp"]
    more = {"finalizers": ["example.com/hold", "example.com/late"]}
    code, status = await server.merge(CONFIG_MAP, "settings", {"metadata": more})
    assert (code, status["reason"]) == (422, "Invalid")
    code, last = await server.merge(CONFIG_MAP, "settings", {"metadata": {"finalizers": None}})
    assert code == 200
    assert last["metadata"]["name"] == "settings"
    assert (await server.get(CONFIG_MAP, "settings"))[0] == 404


# --- lists and watches


async def fill(server: Server, amount: int) -> None:
    for number in range(amount):
        color = "red" if number % 2 else "blue"
        await server.applied(config_map(f"c{number}", metadata={"labels": {"color": color, "n": str(number)}}))


async def page_after(server: Server, page: Manifest, selector: str) -> tuple[int, Manifest]:
    query = {"limit": "2", "labelSelector": selector, "continue": page["metadata"]["continue"]}
    return await server.ask("GET", CONFIG_MAP.path(server.namespace), **query)


async def test_pages_show_the_list_as_it_was(server: Server) -> None:
    await fill(server, 5)
    path, selector = CONFIG_MAP.path(server.namespace), "color"
    _, first = await server.ask("GET", path, limit="2", labelSelector=selector)
    await server.delete(CONFIG_MAP, "c4")
    await server.applied(config_map("c9", metadata={"labels": {"color": "red"}}))
    _, second = await page_after(server, first, selector)
    _, third = await page_after(server, second, selector)
    names = [item["metadata"]["name"] for page in (first, second, third) for item in page["items"]]
    assert names == ["c0", "c1", "c2", "c3", "c4"]
    assert first["kind"] == "ConfigMapList"
    assert "kind" not in first["items"][0]
    assert "continue" not in third["metadata"]
    assert (await page_after(server, {"metadata": {"continue": "nonsense"}}, selector))[0] == 400


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("color=red", ["c1", "c3"]),
        ("color!=red,n", ["c0", "c2"]),
        ("n in (0,3)", ["c0", "c3"]),
        ("n,n notin (0,1)", ["c2", "c3"]),
        ("color,!absent", ["c0", "c1", "c2", "c3"]),
        ("absent", []),
    ],
)
async def test_labels_select(server: Server, selector: str, found: list[str]) -> None:
    await fill(server, 4)
    _, listed = await server.ask("GET", CONFIG_MAP.path(server.namespace), labelSelector=selector)
    assert [item["metadata"]["name"] for item in listed["items"]] == found


async def test_metadata_can_be_had_alone(server: Server) -> None:
    await server.applied(config_map(a="secret"))
    partial = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
    _, listed = await server.ask("GET", CONFIG_MAP.path(server.namespace), headers=partial)
    assert listed["kind"] == "PartialObjectMetadataList"
    assert "data" not in listed["items"][0]


async def test_a_watch_goes_on_from_a_version(server: Server) -> None:
    made = await server.applied(config_map(a="1"))
    async with server.watch(CONFIG_MAP, resourceVersion=made["metadata"]["resourceVersion"]) as watching:
        await server.applied(config_map(a="2"))
        await server.delete(CONFIG_MAP, "settings")
        assert [(await watching.next())[0] for _ in range(2)] == ["MODIFIED", "DELETED"]


async def test_a_watch_list_begins_with_what_there_is_and_says_when_that_is_all(server: Server) -> None:
    await fill(server, 3)
    initial = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    async with server.watch(CONFIG_MAP, **initial) as watching:
        names = await watching.until("BOOKMARK")
        assert names[:-1] == ["c0", "c1", "c2"]
        await server.applied(config_map("c7"))
        event, obj = await watching.next()
        assert (event, obj["kind"], obj["metadata"]["name"]) == ("ADDED", "ConfigMap", "c7")


async def test_a_watch_list_without_its_conditions_is_refused(server: Server) -> None:
    async with server.watch(CONFIG_MAP, sendInitialEvents="true") as watching:
        assert watching.status == 422


async def test_an_object_that_no_longer_fits_the_selector_is_gone_for_its_watchers(server: Server) -> None:
    made = await server.applied(config_map(metadata={"labels": {"color": "red"}}))
    version = made["metadata"]["resourceVersion"]
    async with server.watch(CONFIG_MAP, resourceVersion=version, labelSelector="color=red") as watching:
        await server.applied(config_map(metadata={"labels": {"color": "blue"}}))
        await server.applied(config_map(metadata={"labels": {"color": "red"}}))
        assert [(await watching.next())[0] for _ in range(2)] == ["DELETED", "ADDED"]


async def test_the_last_state_of_a_deleted_object_carries_a_newer_version(server: Server) -> None:
    head = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}}
    made = await server.applied(head)
    version = made["metadata"]["resourceVersion"]
    async with server.watch(SECRET, resourceVersion=version) as watching:
        await server.delete(SECRET, "key")
        event, obj = await watching.next()
        assert event == "DELETED"
        assert int(obj["metadata"]["resourceVersion"]) > int(version)


async def test_a_job_leaves_its_dependents_behind_unless_told_otherwise(server: Server) -> None:
    made = await server.applied(job())
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": "once", "uid": made["metadata"]["uid"]}
    await server.applied(config_map(metadata={"ownerReferences": [owner]}))
    kind = ref_of(job()).kind
    code, held = await server.delete(kind, "once")
    assert code == 200
    assert "orphan" in held["metadata"].get("finalizers", [])


async def test_a_service_keeps_its_address(server: Server) -> None:
    spec = {"selector": {"a": "b"}, "ports": [{"port": 80}]}
    await server.applied({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "front"}, "spec": spec})
    code, status = await server.merge(SERVICE, "front", {"spec": {"clusterIP": "10.96.99.99"}})
    assert (code, status["reason"]) == (422, "Invalid")
