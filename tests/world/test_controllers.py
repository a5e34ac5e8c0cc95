"""The controllers of the fake cluster do what those of a real cluster do."""

from typing import Any

from fakecluster.apiserver.verbs import Api
from fakecluster.controllers.all import controllers
from fakecluster.controllers.kubelet import Exit, Kubelet
from fakecluster.controllers.simulator import Simulator
from fakecluster.controllers.volumes import storage_class
from frappe_operator.kube import kinds
from frappe_operator.kube.kinds import Ref
from frappe_operator.kube.objects import Manifest

SPACE = "space"


class Clock:
    """Time that passes when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Given:
    """An API, a cluster's controllers, and a namespace."""

    def __init__(self, seed: int = 0) -> None:
        self.clock = Clock()
        self.api = Api(self.clock)
        self.kubelet = Kubelet()
        self.sim: Simulator = controllers(self.api, self.kubelet, seed)
        self.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})

    def make(self, *objects: Manifest) -> None:
        for obj in objects:
            if obj["kind"] != "StorageClass":
                obj["metadata"]["namespace"] = SPACE
            self.api.create(obj)
        self.sim.run_all()

    def change(self, obj: Manifest) -> None:
        obj["metadata"]["namespace"] = SPACE
        self.api.apply(obj, "us", force=True)

    def status(self, kind: kinds.Kind, name: str) -> Manifest:
        status: Manifest = self.api.get(Ref(kind, SPACE, name)).obj["status"]
        return status

    def pods(self) -> list[Manifest]:
        return [record.obj for record in self.api.store.list(kinds.POD)]


def deployment(replicas: int = 2, image: str = "web:1", **spec: Any) -> Manifest:
    pod = {"containers": [{"name": "web", "image": image}]}
    template = {"metadata": {"labels": {"app": "front"}}, "spec": pod}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "front"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "front"}},
            "template": template,
            **spec,
        },
    }


def claim(name: str = "files") -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }


def job(restart: str = "Never", backoff: int = 2) -> Manifest:
    pod = {"restartPolicy": restart, "containers": [{"name": "only", "image": "one:1"}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "once"},
        "spec": {"template": {"spec": pod}, "backoffLimit": backoff},
    }


def test_a_deployment_becomes_available() -> None:
    given = Given()
    given.make(deployment())
    status = given.status(kinds.DEPLOYMENT, "front")
    assert (status["readyReplicas"], status["updatedReplicas"], status["observedGeneration"]) == (2, 2, 1)
    assert all(pod["status"]["podIP"] for pod in given.pods())


def test_a_new_template_replaces_the_pods() -> None:
    given = Given()
    given.make(deployment())
    given.change(deployment(image="web:2"))
    given.sim.run_all()
    assert [pod["spec"]["containers"][0]["image"] for pod in given.pods()] == ["web:2", "web:2"]
    assert given.status(kinds.DEPLOYMENT, "front")["observedGeneration"] == 2


def test_recreate_never_runs_two_templates_at_once() -> None:
    given = Given()
    given.make(deployment(1, strategy={"type": "Recreate"}))
    given.change(deployment(1, image="web:2", strategy={"type": "Recreate"}))
    while given.sim.step():
        images = {pod["spec"]["containers"][0]["image"] for pod in given.pods()}
        assert len(images) <= 1
    assert [pod["spec"]["containers"][0]["image"] for pod in given.pods()] == ["web:2"]


def test_a_broken_pod_is_not_ready_until_it_is_mended() -> None:
    given = Given()
    given.kubelet.broken = {"front-*"}
    given.make(deployment())
    assert given.status(kinds.DEPLOYMENT, "front").get("readyReplicas", 0) == 0
    assert given.pods()[0]["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    given.kubelet.broken = set()
    given.sim.resync()
    given.sim.run_all()
    assert given.status(kinds.DEPLOYMENT, "front")["readyReplicas"] == 2


def test_a_pod_waits_for_what_it_reads() -> None:
    given = Given()
    waiting = deployment(1)
    waiting["spec"]["template"]["spec"]["volumes"] = [{"name": "key", "secret": {"secretName": "key"}}]
    given.make(waiting)
    assert given.pods()[0]["status"]["phase"] == "Pending"
    given.make({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "stringData": {"a": "b"}})
    assert given.pods()[0]["status"]["phase"] == "Running"


def test_a_claim_is_bound_at_once_or_when_a_pod_needs_it() -> None:
    given = Given()
    given.make(storage_class(), claim())
    assert given.status(kinds.PVC, "files")["phase"] == "Bound"
    late = Given()
    late.make(storage_class(volumeBindingMode="WaitForFirstConsumer"), claim())
    assert late.status(kinds.PVC, "files")["phase"] == "Pending"
    user = deployment(1)
    user["spec"]["template"]["spec"]["volumes"] = [{"name": "files", "persistentVolumeClaim": {"claimName": "files"}}]
    late.make(user)
    assert late.status(kinds.PVC, "files")["phase"] == "Bound"
    assert late.status(kinds.DEPLOYMENT, "front")["readyReplicas"] == 1


def test_a_claim_without_a_class_stays_pending_and_its_pod_says_so() -> None:
    given = Given()
    user = deployment(1)
    user["spec"]["template"]["spec"]["volumes"] = [{"name": "files", "persistentVolumeClaim": {"claimName": "files"}}]
    given.make(claim(), user)
    [pod] = given.pods()
    assert pod["status"]["conditions"][0]["message"] == "pod has unbound immediate PersistentVolumeClaims"


def test_a_claim_stays_until_no_pod_mounts_it() -> None:
    given = Given()
    user = deployment(1)
    user["spec"]["template"]["spec"]["volumes"] = [{"name": "files", "persistentVolumeClaim": {"claimName": "files"}}]
    given.make(storage_class(), claim(), user)
    given.api.delete(Ref(kinds.PVC, SPACE, "files"))
    given.sim.run_all()
    assert given.api.get(Ref(kinds.PVC, SPACE, "files")).obj["metadata"]["deletionTimestamp"]
    given.api.delete(Ref(kinds.DEPLOYMENT, SPACE, "front"))
    given.sim.run_all()
    assert given.api.store.get(Ref(kinds.PVC, SPACE, "files")) is None
    assert given.pods() == []


def test_a_stateful_set_starts_one_pod_after_the_other_and_keeps_its_volumes() -> None:
    given = Given()
    pod = {"containers": [{"name": "db", "image": "db:1"}]}
    template = {"metadata": {"labels": {"app": "db"}}, "spec": pod}
    made = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "db"}},
            "template": template,
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim()["spec"]}],
        },
    }
    given.kubelet.broken = {"db-0"}
    given.make(storage_class(), made)
    assert [pod["metadata"]["name"] for pod in given.pods()] == ["db-0"]
    given.kubelet.broken = set()
    given.sim.resync()
    given.sim.run_all()
    assert [pod["metadata"]["name"] for pod in given.pods()] == ["db-0", "db-1"]
    assert given.status(kinds.STATEFUL_SET, "db")["readyReplicas"] == 2
    given.api.delete(Ref(kinds.STATEFUL_SET, SPACE, "db"))
    given.sim.run_all()
    assert given.pods() == []
    assert {record.obj["metadata"]["name"] for record in given.api.store.list(kinds.PVC)} == {"data-db-0", "data-db-1"}


def test_a_job_succeeds_and_its_pod_has_its_message() -> None:
    given = Given()
    given.kubelet.program = lambda pod, attempt: Exit(0, "well")
    given.make(job())
    status = given.status(kinds.JOB, "once")
    assert [each["type"] for each in status["conditions"]] == ["SuccessCriteriaMet", "Complete"]
    [pod] = given.pods()
    assert pod["metadata"]["labels"]["batch.kubernetes.io/job-name"] == "once"
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["message"] == "well"


def test_a_job_gives_up_after_its_last_pod() -> None:
    given = Given()
    given.kubelet.program = lambda pod, attempt: Exit(1, "no")
    given.make(job(backoff=1))
    status = given.status(kinds.JOB, "once")
    assert [each["type"] for each in status["conditions"]] == ["FailureTarget", "Failed"]
    assert len(given.pods()) == 2


def test_a_job_that_restarts_in_its_pod_waits_longer_each_time() -> None:
    given = Given()
    given.kubelet.program = lambda pod, attempt: Exit(0 if attempt == 2 else 1, f"attempt {attempt}")
    given.make(job("OnFailure"))
    [pod] = given.pods()
    [container] = pod["status"]["containerStatuses"]
    assert container["lastState"]["terminated"]["message"] == "attempt 0"
    assert [action.at for action in given.sim.actions()] == [10.0]
    given.clock.now = 10.0
    given.sim.run_all()
    assert [action.at for action in given.sim.actions()] == [30.0]
    given.clock.now = 30.0
    given.sim.run_all()
    assert given.status(kinds.JOB, "once")["succeeded"] == 1
    assert len(given.pods()) == 1


def test_a_job_whose_program_does_not_end_is_active() -> None:
    given = Given()
    given.kubelet.program = lambda pod, attempt: None
    given.make(job())
    assert given.status(kinds.JOB, "once")["active"] == 1
    given.kubelet.program = lambda pod, attempt: Exit()
    given.kubelet.end_hanging_programs()
    given.sim.resync()
    given.sim.run_all()
    assert given.status(kinds.JOB, "once")["succeeded"] == 1


def test_what_an_owner_leaves_is_collected_and_what_two_own_is_not() -> None:
    given = Given()

    def config_map(name: str, *owners: str) -> Manifest:
        references = [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "name": owner,
                "uid": given.api.get(Ref(kinds.CONFIG_MAP, SPACE, owner)).obj["metadata"]["uid"],
            }
            for owner in owners
        ]
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "ownerReferences": references}}

    given.make(config_map("one"), config_map("two"))
    given.make(config_map("child", "one"), config_map("shared", "one", "two"))
    given.make(config_map("grandchild", "child"))
    given.api.delete(Ref(kinds.CONFIG_MAP, SPACE, "one"))
    given.sim.run_all()
    assert {record.obj["metadata"]["name"] for record in given.api.store.list(kinds.CONFIG_MAP)} == {"two", "shared"}
    [owner] = given.api.get(Ref(kinds.CONFIG_MAP, SPACE, "shared")).obj["metadata"]["ownerReferences"]
    assert owner["name"] == "two"


def test_a_job_orphans_its_pod_unless_told_otherwise() -> None:
    given = Given()
    given.make(job())
    given.api.delete(Ref(kinds.JOB, SPACE, "once"))
    given.sim.run_all()
    assert given.api.store.get(Ref(kinds.JOB, SPACE, "once")) is None
    assert len(given.pods()) == 1
    other = Given()
    other.make(job())
    other.api.delete(Ref(kinds.JOB, SPACE, "once"), propagation="Background")
    other.sim.run_all()
    assert other.pods() == []


def test_foreground_deletion_takes_the_dependents_first() -> None:
    given = Given()
    given.make(deployment())
    given.api.delete(Ref(kinds.DEPLOYMENT, SPACE, "front"), propagation="Foreground")
    while given.sim.step():
        if given.pods():
            assert given.api.store.get(Ref(kinds.DEPLOYMENT, SPACE, "front")) is not None
    assert given.api.store.get(Ref(kinds.DEPLOYMENT, SPACE, "front")) is None


def test_a_namespace_goes_when_it_is_empty() -> None:
    given = Given()
    given.make(storage_class(), deployment(), claim())
    given.api.delete(Ref(kinds.NAMESPACE, "", SPACE))
    given.sim.run_all()
    assert [ref for ref in given.api.store.refs() if ref.namespace == SPACE] == []
    assert given.api.store.get(Ref(kinds.NAMESPACE, "", SPACE)) is None


def test_every_order_of_actions_ends_in_the_same_world() -> None:
    def end(seed: int) -> Manifest:
        given = Given(seed)
        given.make(storage_class(), claim(), deployment(), job())
        return {name: given.status(kinds.DEPLOYMENT, "front")[name] for name in ("readyReplicas", "updatedReplicas")}

    assert all(end(seed) == {"readyReplicas": 2, "updatedReplicas": 2} for seed in range(20))


def test_a_controller_that_is_off_does_nothing() -> None:
    given = Given()
    given.sim.off = {"deployment"}
    given.make(deployment())
    assert given.pods() == []
