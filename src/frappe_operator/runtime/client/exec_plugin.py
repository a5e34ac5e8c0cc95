"""Credentials from the `exec` plugin of a kubeconfig: a program such as `aws eks get-token` that prints them.

The protocol is `client.authentication.k8s.io`: the program learns about its caller from KUBERNETES_EXEC_INFO and prints
an ExecCredential with a token, a client certificate, or both.
"""

import asyncio
import base64
import contextlib
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from frappe_operator.runtime.client.errors import AccessError
from frappe_operator.runtime.client.transport import TransportError

GROUP = "client.authentication.k8s.io"
VERSIONS = (f"{GROUP}/v1", f"{GROUP}/v1beta1")
LONGEST_SECONDS = 60.0
"""How long a program may take. Most ask an identity provider on the network."""
KILLED_SECONDS = 1.0
"""How long the output of a plugin that was killed is read for its end."""
LONGEST_MESSAGE = 300
RENEW_EARLY_SECONDS = 30.0
"""How long before they expire credentials are renewed, so that no request has to wait for the program."""
PAUSE_SECONDS = 5.0
"""The shortest time between two runs of the program, whatever the API server says of its credentials."""


class _Status(Struct, rename="camel"):
    token: str = ""
    client_certificate_data: str = ""
    client_key_data: str = ""
    expiration_timestamp: datetime | None = None


class _Answer(Struct, rename="camel"):
    api_version: str = ""
    kind: str = ""
    status: _Status | None = None


class Credential(NamedTuple):
    """What a plugin has printed."""

    token: str = ""
    certificate: bytes = b""
    """Client certificate and key, PEM; empty when there is only a token."""
    key: bytes = b""
    expires: float = float("inf")
    """Seconds since 1970."""


class ExecPlugin(NamedTuple):
    """A program that prints credentials, as a kubeconfig names it."""

    api_version: str
    command: str
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    """Variables that it gets besides those of this process."""
    install_hint: str = ""
    cluster: Mapping[str, Any] | None = None
    """What it is told about the cluster; None: nothing."""

    async def run(self) -> Credential:
        """Runs the program once. Raises TransportError when it gives no credentials."""
        try:
            process = await asyncio.create_subprocess_exec(
                *(self.command, *self.args),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=self._environment(),
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise TransportError(self._missing()) from error
        except OSError as error:
            raise TransportError(f"The credential plugin {self.command} cannot be started: {error}") from error
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                output, errors = await process.communicate()
        except TimeoutError as error:
            message = f"The credential plugin {self.command} has not ended within {LONGEST_SECONDS:.0f} seconds"
            raise TransportError(message) from error
        finally:
            if process.returncode is None:
                # With all that it has started, which would hold its output open.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                # To the end of its output: a pipe that is read when the event loop ends is an error. What has left
                # the process group may hold it open.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(KILLED_SECONDS):
                        await process.communicate()
                await process.wait()
        if process.returncode:
            # Its standard error is written for people; its standard output holds secrets and is never shown.
            why = errors.decode(errors="replace").strip()[-LONGEST_MESSAGE:]
            message = f"The credential plugin {self.command} ended with exit code {process.returncode}"
            raise TransportError(f"{message}: {why}" if why else message)
        return self._credential(output)

    def _environment(self) -> dict[str, str]:
        spec = {"interactive": False, **({"cluster": self.cluster} if self.cluster is not None else {})}
        info = {"apiVersion": self.api_version, "kind": "ExecCredential", "spec": spec}
        return {**os.environ, **dict(self.env), "KUBERNETES_EXEC_INFO": json.dumps(info)}

    def _credential(self, output: bytes) -> Credential:
        try:
            answer = msgspec.json.decode(output, type=_Answer)
        except msgspec.MsgspecError as error:
            # The decoder's message may quote what it could not read.
            raise TransportError(f"The credential plugin {self.command} printed no ExecCredential") from error
        status = answer.status or _Status()
        if (answer.kind, answer.api_version) != ("ExecCredential", self.api_version):
            found = f"{answer.api_version} {answer.kind}".strip()
            message = (
                f"The credential plugin {self.command} printed {found} instead of {self.api_version} ExecCredential"
            )
            raise TransportError(message)
        if not status.token.isprintable():
            message = f"The credential plugin {self.command} printed a token with a line break or control character"
            raise TransportError(message)
        if bool(status.client_certificate_data) != bool(status.client_key_data):
            message = f"The credential plugin {self.command} printed a client certificate or its key, and not both"
            raise TransportError(message)
        if not status.token and not status.client_certificate_data:
            message = f"The credential plugin {self.command} printed neither a token nor a client certificate"
            raise TransportError(message)
        expires = status.expiration_timestamp
        return Credential(
            status.token,
            status.client_certificate_data.encode(),
            status.client_key_data.encode(),
            float("inf") if expires is None else expires.timestamp(),
        )

    def _missing(self) -> str:
        message = f"The credential plugin {self.command}, which the kubeconfig names, is not installed"
        return f"{message}. {self.install_hint.strip()}" if self.install_hint else message


class PluginCredentials:
    """The credentials of a plugin, renewed before they expire and when the API server does not accept them."""

    def __init__(self, plugin: ExecPlugin, clock: Callable[[], float] = time.time) -> None:
        """`clock`: seconds since 1970."""
        self._plugin = plugin
        self._clock = clock
        self._credential: Credential | None = None
        self._failure = ""
        self._renew_at = 0.0
        self._ended_at = 0.0
        self._renewal: asyncio.Task[None] | None = None

    async def get(self) -> Credential:
        """The current credentials; waits for the program only when there are no valid ones. Raises TransportError."""
        now = self._clock()
        if now >= self._renew_at and self._renewal is None:
            self._renewal = asyncio.create_task(self._renew())
        if self._credential is not None and now < self._credential.expires:
            return self._credential
        if self._renewal is not None:
            # All requests wait for one run, and one that is given up does not end it.
            await asyncio.shield(self._renewal)
        if self._failure:
            raise TransportError(self._failure)
        assert self._credential is not None
        return self._credential

    def reject(self, credential: Credential) -> None:
        """The API server does not accept these: the program runs again, unless it has done so already."""
        if credential is self._credential:
            self._credential = credential._replace(expires=0.0)
            self._renew_at = self._ended_at + PAUSE_SECONDS

    async def close(self) -> None:
        """Ends a run of the program."""
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)

    async def _renew(self) -> None:
        try:
            self._credential, self._failure = await self._plugin.run(), ""
        except TransportError as error:
            self._failure = str(error)
        finally:
            self._renewal = None
            self._ended_at = self._renew_at = self._clock()
            self._renew_at += PAUSE_SECONDS
        if not self._failure and self._credential is not None:
            self._renew_at = max(self._renew_at, self._credential.expires - RENEW_EARLY_SECONDS)


def exec_plugin(config: Mapping[str, Any], cluster: Mapping[str, Any], ca: bytes, folder: Path) -> ExecPlugin:
    """The plugin that `users[].user.exec` describes.

    `cluster`: the cluster's entry of the kubeconfig, and `ca` the authorities it trusts. `folder`: where the command's
    relative path starts. Raises AccessError when the plugin cannot work.
    """
    version, command = str(config.get("apiVersion", "")), str(config.get("command", ""))
    if version not in VERSIONS:
        raise AccessError(f"The exec plugin's apiVersion is {version!r}, supported are: {', '.join(VERSIONS)}")
    if not command:
        raise AccessError("The exec plugin of the kubeconfig has no command")
    if config.get("interactiveMode") == "Always":
        raise AccessError(
            f"The credential plugin {command} demands a terminal (interactiveMode: Always); there is none"
        )
    if os.sep in command:
        command = str(folder / command)
    plugin = ExecPlugin(
        version,
        command,
        tuple(str(each) for each in config.get("args") or ()),
        tuple((str(each["name"]), str(each["value"])) for each in config.get("env") or ()),
        str(config.get("installHint") or ""),
        _cluster_info(cluster, ca) if config.get("provideClusterInfo") else None,
    )
    path = dict(plugin.env).get("PATH") or os.environ.get("PATH")
    if shutil.which(command, path=path) is None:
        raise AccessError(plugin._missing())
    return plugin


def _cluster_info(cluster: Mapping[str, Any], ca: bytes) -> dict[str, Any]:
    info = {
        name: cluster[name] for name in ("server", "tls-server-name", "insecure-skip-tls-verify") if name in cluster
    }
    if ca:
        info["certificate-authority-data"] = base64.b64encode(ca).decode()
    for extension in cluster.get("extensions") or ():
        if extension.get("name") == f"{GROUP}/exec":
            info["config"] = extension.get("extension")
    return info
