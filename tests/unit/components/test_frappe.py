"""The pods of a site."""

import subprocess
from typing import Any, get_args

import pytest

from frappe_operator.components import (
    background,
    creation,
    frappe,
    gunicorn,
    nginx,
    proxy,
    redis,
    socketio,
    storage,
)
from frappe_operator.components.database import built_in
from frappe_operator.components.route import ROUTES
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.route import RouteType
from tests.unit.components.conftest import World
from tests.unit.resolved_samples import a_bench, a_site, an_offer

SITE = a_site()


def deployments(*manifests: Manifest) -> dict[str, Manifest]:
    return {each["metadata"]["name"]: each["spec"] for each in manifests if each["kind"] == "Deployment"}


def pod(spec: Manifest) -> dict[str, Any]:
    found: dict[str, Any] = spec["template"]["spec"]
    return found


@pytest.mark.parametrize(
    ("name", "queues", "grace"),
    [
        ("pearl-worker-default", "default,short,long", 1560),
        ("pearl-worker-long", "long", 1560),
        ("pearl-worker-short", "short", 360),
    ],
)
def test_a_worker_listens_to_its_queues_and_may_finish_its_job(name: str, queues: str, grace: int) -> None:
    spec = deployments(*background.build(SITE))[name]
    assert pod(spec)["containers"][0]["command"][-3:] == ["worker", "--queue", queues]
    assert pod(spec)["terminationGracePeriodSeconds"] == grace


def test_there_is_never_a_second_scheduler_and_its_end_is_not_waited_for() -> None:
    spec = deployments(*background.build(a_site(componentReplicas={"gunicorn": 9})))["pearl-scheduler"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert pod(spec)["terminationGracePeriodSeconds"] == 5
    assert pod(deployments(*socketio.build(SITE))["pearl-socketio"])["terminationGracePeriodSeconds"] == 5


def test_every_pod_of_frappes_sees_one_site_only_by_its_own_directory() -> None:
    specs = deployments(*background.build(SITE), *socketio.build(SITE), *gunicorn.build(SITE))
    assert len(specs) == 6
    for spec in specs.values():
        assert [container["name"] for container in pod(spec)["initContainers"]] == ["layout"]
        for container in pod(spec)["containers"]:
            mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
            assert mounts[frappe.SITES]["name"] == "sites"
            assert mounts[f"{frappe.SITES}/pearl.example.net"]["subPath"] == "pearl.example.net"
        volumes = {volume["name"]: volume for volume in pod(spec)["volumes"]}
        assert volumes["sites"] == {"name": "sites", "emptyDir": {}}
        assert volumes["files"]["persistentVolumeClaim"] == {"claimName": "pearl-files"}


def test_every_program_of_frappes_may_write_where_frappe_writes(world: World) -> None:
    """The scheduler locks a file in config/; the bench CLI uses config/pids and writes logs/bench.log."""
    for name, template in world.workloads():
        spec = template["spec"]
        scratch = {volume["name"] for volume in spec["volumes"] if "emptyDir" in volume}
        for container in spec["containers"]:
            if container.get("workingDir") != frappe.SITES:
                continue
            places = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
            written = {places.get(f"{frappe.BENCH_DIR}/{folder}") for folder in ("config", "logs")}
            assert written == {"config", "logs"}, (name, container["name"])
            assert written <= scratch, name
            (layout,) = spec["initContainers"]
            assert {"name": "config", "mountPath": "/config"} in layout["volumeMounts"], name


WORKERS = ("pearl-worker-default", "pearl-worker-long", "pearl-worker-short")


def test_a_background_pod_is_ready_only_when_it_has_proved_its_start() -> None:
    specs = deployments(*background.build(SITE))
    assert set(specs) == {"pearl-scheduler", *WORKERS}
    for name, spec in specs.items():
        (container,) = pod(spec)["containers"]
        proof = container["startupProbe"]
        command = proof["exec"]["command"]
        # A worker is looked for among those of a queue that it listens to.
        queues = container["command"][-1].split(",")
        words = ["scheduler-started"] if name == "pearl-scheduler" else ["worker-started", queues[0]]
        assert command[-len(words) - 1 :] == ["probe", *words], name
        assert {"name": "runner", "mountPath": frappe.RUNNER, "readOnly": True} in container["volumeMounts"]
        assert proof["periodSeconds"] * proof["failureThreshold"] >= 600, "on a busy node Python starts slowly"
        assert 0 < spec["minReadySeconds"] <= 5, "every site that is created waits for it"


def test_what_is_frozen_is_not_waited_for() -> None:
    """The grace period of a worker is that of its job. A frozen worker has no job and ignores SIGTERM."""
    specs = deployments(*background.build(SITE), *gunicorn.build(SITE), *socketio.build(SITE))
    for name in (*WORKERS, "pearl-gunicorn", "pearl-socketio"):
        probe = pod(specs[name])["containers"][0]["livenessProbe"]
        grace = probe.get("terminationGracePeriodSeconds", pod(specs[name])["terminationGracePeriodSeconds"])
        assert grace <= 10, name
        assert probe["periodSeconds"] * probe["failureThreshold"] >= 150, "slow is not frozen"


def test_the_last_lines_of_a_program_that_ends_are_in_the_status_of_its_pod() -> None:
    for spec in deployments(*background.build(SITE), *gunicorn.build(SITE), *socketio.build(SITE)).values():
        assert pod(spec)["containers"][0]["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_gunicorn_is_reached_through_its_front_door_only() -> None:
    web = deployments(*gunicorn.build(SITE))["pearl-gunicorn"]
    server, door = pod(web)["containers"]
    assert "--bind=127.0.0.1:8000" in server["command"]
    assert "ports" not in server
    assert door["ports"] == [{"name": "http", "containerPort": 8080}]
    (service,) = gunicorn.web_service(SITE)
    assert {port["port"]: port["targetPort"] for port in service["spec"]["ports"]} == {
        8080: "http",
        8000: "http",
        80: "http",
    }


def test_the_front_door_says_which_site_it_is_whatever_a_client_claims() -> None:
    conf = gunicorn.conf(SITE)
    named = [line.split()[-1] for line in conf.splitlines() if "proxy_set_header X-Frappe-Site-Name" in line]
    assert sorted(named) == ["alive.invalid;", "pearl.example.net;", "pearl.example.net;"]
    assert "$http_x_frappe_site_name" not in conf.lower()


def test_the_bench_proxy_forgets_what_a_client_claims_and_knows_its_hosts() -> None:
    (config,) = proxy.config(a_bench())
    assert "proxy_set_header X-Frappe-Site-Name '';" in config["data"]["nginx.conf"]
    assert config["data"]["hosts.map"] == "pearl.example.net pearl-gunicorn;\n"
    assert config["data"]["sites.map"] == "pearl.example.net pearl.example.net;\n"


def test_a_host_that_the_proxy_does_not_know_is_nobodys() -> None:
    (config,) = proxy.config(a_bench())
    conf = config["data"]["nginx.conf"]
    assert "map $entry $frappe_service { default ''; include hosts.map; }" in conf
    for where in ("location / {", "location ~ ^/assets/(?<asset>.+)$ {"):
        first = conf.partition(where)[2].strip().splitlines()[0]
        assert first == "if ($frappe_service = '') { return 418; }", where
    assert "error_page 418 = @unknown;" in conf


@pytest.mark.parametrize(
    ("host", "line"),
    [
        ("shop.example.net", "shop.example.net pearl-gunicorn;\n"),
        ("default", "\\\\default pearl-gunicorn;\n"),
        ("a; } http {", "# 'a; } http {' 'pearl-gunicorn'\n"),
        ("a\nb", "# 'a\\nb' 'pearl-gunicorn'\n"),
        ("\u00fc.net", "# '\\xfc.net' 'pearl-gunicorn'\n"),
    ],
)
def test_an_entry_of_a_map_is_one_line_that_means_its_host_or_nothing(host: str, line: str) -> None:
    assert nginx.entry(host, "pearl-gunicorn") == line


LINE = "2026/11/27 15:42:50 [error] 22#22: *2 upstream timed out, client: 10.0.0.7, server: , "


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ('request: "GET /x HTTP/1.1", upstream: "http://1.2.3.4/x", host: "a.net"', None),
        (
            'request: "GET /x?sid=S HTTP/1.1", upstream: "http://1.2.3.4/x?sid=S", host: "a.net"',
            '"GET /x?", host: "a.net"',
        ),
        (
            'request: "GET /x HTTP/1.1", host: "a.net", referrer: "http://a.net/y?key=S"',
            '"GET /x HTTP/1.1", host: "a.net"',
        ),
        ('request: "GET /x?t="a"&sid=S HTTP/1.1", host: "a.net"', '"GET /x?", host: "a.net"'),
        ('request: "GET /x?t=a b&sid=S HTTP/1.0"', '"GET /x?'),
        ('request: "GET /x?", host: "sid=S HTTP/1.0"', '"GET /x?'),
        ('request: "GET /x?", host: "h&sid=S HTTP/1.1", host: "a.net"', '"GET /x?", host: "a.net"'),
        ('request: "GET /x?t=\udcff\udcfe&sid=S HTTP/1.1", host: "a.net"', '"GET /x?", host: "a.net"'),
    ],
)
def test_a_line_of_the_error_log_loses_every_query_and_nothing_else(written: str, kept: str | None) -> None:
    line = (LINE + written).encode("utf-8", "surrogateescape")
    done = subprocess.run(["sed", "-u", nginx.FILTER], input=line, capture_output=True, check=True, env={"LC_ALL": "C"})
    assert done.stdout.decode() == LINE + (written if kept is None else f"request: {kept}")


def test_a_text_is_one_word_of_redis_conf() -> None:
    assert redis.word("abc123") == '"abc123"'
    assert redis.word('a"\\ \n\xfc#') == '"a\\x22\\x5c\\x20\\x0a\\xc3\\xbc\\x23"'


def test_a_value_is_one_word_of_nginxs_configuration() -> None:
    assert nginx.word("pearl.example.net") == "pearl.example.net"
    assert nginx.word("fd00:10::/32") == "fd00:10::/32"
    assert nginx.word('a "b" \\; }') == '"a \\"b\\" \\\\; }"'
    for text in ("a\nb", "$host", "@NAMESERVER@", "\x00"):
        with pytest.raises(nginx.Unwritable):
            nginx.word(text)


def test_assets_of_the_image_before_are_served_beside_those_of_this_one() -> None:
    bench = a_bench()
    assert bench.facts is not None
    before = type(bench.facts)(
        **{**{name: getattr(bench.facts, name) for name in bench.facts.__struct_fields__}, "previous_key": "0ld"}
    )
    (config,) = proxy.config(a_bench(facts=before))
    assert f"try_files /{before.key}/$asset /0ld/$asset @site;" in config["data"]["nginx.conf"]


def test_the_queue_is_kept_and_never_evicted_and_the_cache_is_neither() -> None:
    servers = {
        each["metadata"]["name"]: each["spec"] for each in redis.build(a_bench()) if each["kind"] == "StatefulSet"
    }
    queue, cache = servers["pier-redis-queue"], servers["pier-redis-cache"]
    assert "volumeClaimTemplates" in queue
    assert "volumeClaimTemplates" not in cache
    assert "noeviction" in pod(queue)["containers"][0]["command"]
    assert "allkeys-lru" in pod(cache)["containers"][0]["command"]


def test_only_the_job_that_makes_the_database_holds_root() -> None:
    jobs = [*built_in.jobs(SITE), *creation.create(SITE), *creation.install(SITE)]
    holders = [
        job["metadata"]["name"]
        for job in jobs
        for volume in pod(job["spec"])["volumes"]
        if volume.get("secret", {}).get("secretName") == "pier-mariadb-root"
    ]
    assert holders == ["pearl-database"]


def test_a_changed_list_of_apps_is_another_job_and_the_same_list_the_same() -> None:
    bench = an_offer(appsJSON='["erpnext", "hrms"]')
    one, again, other = (
        creation.install(a_site(bench=bench, apps=apps))[0]["metadata"]["name"]
        for apps in (["erpnext"], ["erpnext"], ["erpnext", "hrms"])
    )
    assert one == again != other


def test_every_host_has_its_rule_and_no_host_two() -> None:
    site = a_site(domain="a.net", aliases=["b.net", "A.NET"], ingressClassName="inner")
    (found,) = ROUTES[site.route.type].build(site)
    assert [rule["host"] for rule in found["spec"]["rules"]] == ["a.net", "b.net"]
    assert found["spec"]["ingressClassName"] == "inner"


def test_a_site_that_its_user_routes_has_no_ingress() -> None:
    site = a_site(bench=an_offer(ingress={"type": "None"}))
    assert ROUTES[site.route.type].build(site) == []


def test_every_type_of_route_has_its_row() -> None:
    assert set(ROUTES) == set(get_args(RouteType))


def test_a_volume_for_one_node_keeps_its_pods_together_and_another_does_not() -> None:
    (term,) = storage.files_node(SITE)
    assert term["labelSelector"] == {"matchLabels": {"vyogo.tech/site": "pearl"}}
    assert storage.files_node(a_site(storage={"accessMode": "ReadWriteMany"})) == []


def test_user_text_is_never_an_option_of_its_own() -> None:
    """Values are passed as `--flag=value`, so that a value which begins with a dash is no option."""
    jobs = [*built_in.jobs(SITE), *creation.create(SITE), *creation.install(SITE)]
    for job in jobs:
        for container in (*pod(job["spec"])["initContainers"], *pod(job["spec"])["containers"]):
            command, *options = container["args"]
            assert not command.startswith("-")
            with_values = [option for option in options if option not in ("--upgrading", "--set-password")]
            assert all(option.startswith("--") and "=" in option for option in with_values)
