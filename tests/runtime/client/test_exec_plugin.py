"""Credentials from the exec plugin of a kubeconfig, printed by a real program."""

import asyncio
import base64
import json
import stat
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from frappe_operator.runtime.client.errors import AccessError
from frappe_operator.runtime.client.exec_plugin import (
    PAUSE_SECONDS,
    RENEW_EARLY_SECONDS,
    Credential,
    ExecPlugin,
    PluginCredentials,
)
from frappe_operator.runtime.client.http import HttpTransport
from frappe_operator.runtime.client.kubeconfig import Access, find
from frappe_operator.runtime.client.transport import TransportError

V1, V1BETA1 = "client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"


def a_program(folder: Path, text: str, name: str = "get-token") -> Path:
    """A program in Python, executable."""
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def printing(folder: Path, version: str = V1, **status: str) -> Path:
    """A program that prints an ExecCredential with this status."""
    answer = json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": status})
    return a_program(folder, f"print({answer!r})")


def counting(folder: Path, expires: str = "") -> Path:
    """A program that prints another token at each run: `token-1`, `token-2`."""
    more = f", 'expirationTimestamp': {expires!r}" if expires else ""
    return a_program(
        folder,
        f"""import json, pathlib
runs = pathlib.Path({str(folder / "runs")!r})
number = len(runs.read_text()) + 1 if runs.exists() else 1
runs.write_text("x" * number)
status = {{"token": f"token-{{number}}"{more}}}
print(json.dumps({{"apiVersion": "{V1}", "kind": "ExecCredential", "status": status}}))
""",
    )


def runs(folder: Path) -> int:
    path = folder / "runs"
    return len(path.read_text()) if path.exists() else 0


def a_kubeconfig(folder: Path, cluster: dict[str, Any] | None = None, **plugin: Any) -> Path:
    exec_ = {"apiVersion": V1, "interactiveMode": "Never", **plugin}
    content = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://one.example:6443", **(cluster or {})}}],
        "users": [{"name": "u", "user": {"exec": exec_}}],
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(content))
    return path


def the_plugin(path: Path) -> ExecPlugin:
    plugin = find(str(path), {}).plugin
    assert plugin is not None
    return plugin


class Clock:
    """Seconds since 1970, as a test sets them."""

    def __init__(self) -> None:
        self.now = 1_770_000_000.0

    def __call__(self) -> float:
        return self.now

    def after(self, seconds: float) -> str:
        return datetime.fromtimestamp(self.now + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("version", [V1, V1BETA1])
async def test_a_token(tmp_path: Path, version: str) -> None:
    program = printing(tmp_path, version, token="secret", expirationTimestamp="2026-01-01T00:00:00Z")
    credential = await the_plugin(a_kubeconfig(tmp_path, apiVersion=version, command=str(program))).run()
    assert credential == Credential("secret", expires=datetime(2026, 1, 1, tzinfo=UTC).timestamp())


async def test_a_client_certificate(tmp_path: Path) -> None:
    program = printing(tmp_path, clientCertificateData="CERT", clientKeyData="KEY")
    credential = await the_plugin(a_kubeconfig(tmp_path, command=str(program))).run()
    assert credential == Credential(certificate=b"CERT", key=b"KEY")


async def test_it_gets_its_arguments_its_environment_and_what_it_may_know(tmp_path: Path) -> None:
    program = a_program(
        tmp_path,
        f"""import json, os, sys
told = [sys.argv[1:], os.environ["REGION"], json.loads(os.environ["KUBERNETES_EXEC_INFO"]), sys.stdin.read()]
print(json.dumps({{"apiVersion": "{V1}", "kind": "ExecCredential", "status": {{"token": json.dumps(told)}}}}))
""",
    )
    extensions = [{"name": "client.authentication.k8s.io/exec", "extension": {"audience": "here"}}]
    ca = base64.b64encode(b"CA").decode()
    path = a_kubeconfig(
        tmp_path,
        {"certificate-authority-data": ca, "extensions": extensions},
        command=str(program),
        args=["eks", "get-token"],
        env=[{"name": "REGION", "value": "north"}],
        provideClusterInfo=True,
    )
    args, region, info, stdin = json.loads((await the_plugin(path).run()).token)
    cluster = {"server": "https://one.example:6443", "certificate-authority-data": ca, "config": {"audience": "here"}}
    assert (args, region, stdin) == (["eks", "get-token"], "north", "")
    assert info == {"apiVersion": V1, "kind": "ExecCredential", "spec": {"interactive": False, "cluster": cluster}}


async def test_the_program_learns_about_the_cluster_only_with_provide_cluster_info(tmp_path: Path) -> None:
    program = a_program(
        tmp_path,
        f"""import json, os
told = os.environ["KUBERNETES_EXEC_INFO"]
print(json.dumps({{"apiVersion": "{V1}", "kind": "ExecCredential", "status": {{"token": told}}}}))
""",
    )
    credential = await the_plugin(a_kubeconfig(tmp_path, command=str(program))).run()
    assert json.loads(credential.token)["spec"] == {"interactive": False}


async def test_a_relative_command_is_beside_the_kubeconfig_and_a_bare_one_in_the_path(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    printing(tmp_path / "bin", token="secret")
    relative = a_kubeconfig(tmp_path, command="bin/get-token")
    assert (await the_plugin(relative).run()).token == "secret"
    path = [{"name": "PATH", "value": f"{tmp_path / 'bin'}:/usr/bin:/bin"}]
    bare = a_kubeconfig(tmp_path, command="get-token", env=path)
    assert (await the_plugin(bare).run()).token == "secret"


def test_a_missing_program_is_reported_with_its_hint(tmp_path: Path) -> None:
    path = a_kubeconfig(tmp_path, command="no-such-plugin", installHint="Install the SDK of your cloud.")
    with pytest.raises(AccessError, match=r"no-such-plugin.* not installed\. Install the SDK of your cloud\."):
        find(str(path), {})


async def test_a_removed_program_is_reported_with_its_hint(tmp_path: Path) -> None:
    program = printing(tmp_path, token="secret")
    plugin = the_plugin(a_kubeconfig(tmp_path, command=str(program), installHint="Install it."))
    program.unlink()
    with pytest.raises(TransportError, match=r"not installed\. Install it\."):
        await plugin.run()


@pytest.mark.parametrize(
    ("plugin", "message"),
    [
        ({"apiVersion": "client.authentication.k8s.io/v1alpha1", "command": "x"}, "v1alpha1"),
        ({"command": ""}, "no command"),
        ({"command": "x", "interactiveMode": "Always"}, "terminal"),
    ],
)
def test_an_unusable_plugin_is_an_error_at_the_start(tmp_path: Path, plugin: dict[str, Any], message: str) -> None:
    with pytest.raises(AccessError, match=message):
        find(str(a_kubeconfig(tmp_path, **plugin)), {})


def answering(version: str = V1, **more: Any) -> str:
    """The text of a program that prints an ExecCredential."""
    return f"print({json.dumps({'apiVersion': version, 'kind': 'ExecCredential', **more})!r})"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import sys; sys.exit('Your session has expired: log in')", "exit code 1: Your session has expired: log in"),
        ("print('canary')", "no ExecCredential"),
        ("print('{}')", "instead of"),
        (answering(V1BETA1), "v1beta1 ExecCredential instead"),
        (answering(), "neither a token nor"),
        (answering(status={"clientKeyData": "canary"}), "not both"),
        (answering(status={"token": "canary\nX-Forged: 1"}), "a token with a line break"),
    ],
)
async def test_a_failing_plugin_is_reported_without_its_output(tmp_path: Path, text: str, message: str) -> None:
    plugin = the_plugin(a_kubeconfig(tmp_path, command=str(a_program(tmp_path, text))))
    with pytest.raises(TransportError, match=message) as raised:
        await plugin.run()
    assert "canary" not in str(raised.value)


async def test_a_program_that_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frappe_operator.runtime.client.exec_plugin.LONGEST_SECONDS", 0.5)
    program = a_program(tmp_path, "import time; time.sleep(60)")
    with pytest.raises(TransportError, match="has not ended"):
        await the_plugin(a_kubeconfig(tmp_path, command=str(program))).run()


async def test_what_a_program_has_started_is_killed_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frappe_operator.runtime.client.exec_plugin.LONGEST_SECONDS", 0.5)
    program = a_program(tmp_path, "import subprocess; subprocess.run(['sleep', '60'])")
    with pytest.raises(TransportError, match="has not ended"):
        async with asyncio.timeout(10):
            await the_plugin(a_kubeconfig(tmp_path, command=str(program))).run()


async def test_many_requests_run_it_once(tmp_path: Path) -> None:
    credentials = PluginCredentials(the_plugin(a_kubeconfig(tmp_path, command=str(counting(tmp_path)))))
    found = await asyncio.gather(*(credentials.get() for _ in range(20)))
    assert {each.token for each in found} == {"token-1"}
    assert (await credentials.get()).token == "token-1"
    assert runs(tmp_path) == 1


async def test_credentials_are_renewed_before_they_expire_and_no_request_waits(tmp_path: Path) -> None:
    clock = Clock()
    program = counting(tmp_path, clock.after(600))
    credentials = PluginCredentials(the_plugin(a_kubeconfig(tmp_path, command=str(program))), clock)
    assert (await credentials.get()).token == "token-1"
    clock.now += 600 - RENEW_EARLY_SECONDS
    assert (await credentials.get()).token == "token-1"
    assert credentials._renewal is not None
    await credentials._renewal
    assert (await credentials.get()).token == "token-2"
    await credentials.close()


async def test_expired_ones_are_never_used(tmp_path: Path) -> None:
    clock = Clock()
    program = counting(tmp_path, clock.after(600))
    credentials = PluginCredentials(the_plugin(a_kubeconfig(tmp_path, command=str(program))), clock)
    await credentials.get()
    clock.now += 3600
    assert (await credentials.get()).token == "token-2"


async def test_a_request_that_is_given_up_does_not_end_the_program(tmp_path: Path) -> None:
    """The Lease is asked for with little patience; a program may take longer."""
    slow = a_program(
        tmp_path,
        f"""import json, time
time.sleep(0.5)
print(json.dumps({{"apiVersion": "{V1}", "kind": "ExecCredential", "status": {{"token": "late"}}}}))
""",
    )
    credentials = PluginCredentials(the_plugin(a_kubeconfig(tmp_path, command=str(slow))))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await credentials.get()
    assert (await credentials.get()).token == "late"


async def test_a_failure_stands_for_a_moment_and_is_then_tried_again(tmp_path: Path) -> None:
    clock = Clock()
    program = a_program(tmp_path, "import sys; sys.exit('not logged in')")
    credentials = PluginCredentials(the_plugin(a_kubeconfig(tmp_path, command=str(program))), clock)
    for _ in range(2):
        with pytest.raises(TransportError, match="not logged in"):
            await credentials.get()
    counting(tmp_path)
    with pytest.raises(TransportError, match="not logged in"):
        await credentials.get()
    clock.now += PAUSE_SECONDS
    assert (await credentials.get()).token == "token-1"


async def test_a_token_that_the_server_does_not_accept_is_renewed(tmp_path: Path) -> None:
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.headers["Authorization"])
        return web.Response(status=401 if asked[-1] == "Bearer token-1" else 200)

    async with served(handler) as url:
        plugin = the_plugin(a_kubeconfig(tmp_path, command=str(counting(tmp_path))))
        async with HttpTransport(Access(url, plugin=plugin)) as transport:
            assert (await transport.request("GET", "/", timeout=5)).status == 401
            transport._plugin._ended_at -= PAUSE_SECONDS  # type: ignore[union-attr]
            transport._plugin._renew_at -= PAUSE_SECONDS  # type: ignore[union-attr]
            assert (await transport.request("GET", "/", timeout=5)).status == 200
            async with transport.stream("/", timeout=5) as stream:
                assert stream.status == 200
    assert asked == ["Bearer token-1", "Bearer token-2", "Bearer token-2"]
    assert runs(tmp_path) == 2


class served:  # noqa: N801 - used as a function
    """A server on the loopback, inside `async with`; its address."""

    def __init__(self, handler: Any) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)

    async def __aenter__(self) -> str:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def __aexit__(self, *_: Sequence[object]) -> None:
        await self._runner.cleanup()
