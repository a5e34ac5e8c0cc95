"""The Transport over the network: HTTP/1.1 with persistent connections and credentials that are renewed."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from frappe_operator.runtime.client.exec_plugin import Credential, PluginCredentials
from frappe_operator.runtime.client.kubeconfig import Access
from frappe_operator.runtime.client.transport import Headers, Query, Response, TransportError

REREAD_SECONDS = 10.0
"""How often the files of credentials are read again: kubelets change tokens long before they expire."""
MOST_CONNECTIONS = 128
"""Open connections for requests, to limit open files. Watches have connections of their own."""
BUFFER_BYTES = 2**20
"""How much of an answer may be buffered before the socket is not read any more. With less, a storm of events stalls."""
KEEPALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}

_ERRORS = (aiohttp.ClientError, TimeoutError, OSError, ssl.SSLError, ValueError)
"""What aiohttp raises when a request fails; ValueError: for an answer that is no HTTP."""


class HttpTransport:
    """Sends requests to the API server of an `Access`, inside `async with`."""

    def __init__(self, access: Access, user_agent: str = "frappe-operator") -> None:
        self._access = access
        self._headers = {"User-Agent": user_agent, "Accept-Encoding": "identity"}
        self._read_at = float("-inf")
        self._stamps: list[float] | None = None
        self._tls: ssl.SSLContext | bool = True
        self._token = ""
        self._plugin = PluginCredentials(access.plugin) if access.plugin else None
        self._credential: Credential | None = None

    async def __aenter__(self) -> "HttpTransport":
        self._requests = self._session(MOST_CONNECTIONS)
        self._streams = self._session(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._plugin is not None:
            await self._plugin.close()
        await self._requests.close()
        await self._streams.close()

    def _session(self, limit: int) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=limit, keepalive_timeout=75, socket_factory=_socket)
        return aiohttp.ClientSession(
            connector=connector, headers=self._headers, auto_decompress=False, read_bufsize=BUFFER_BYTES
        )

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        headers: Headers | None = None,
        body: bytes | None = None,
        timeout: float,  # noqa: ASYNC109 - see Transport
    ) -> Response:
        sent = await self._with_token(headers)
        try:
            async with self._requests.request(
                method,
                self._url(path, query),
                headers=sent,
                data=body,
                timeout=aiohttp.ClientTimeout(total=timeout),
                allow_redirects=False,
                **self._tls_options(),
            ) as answer:
                content = await answer.read()
        except _ERRORS as error:
            raise TransportError(_message(error)) from error
        self._check(answer.status)
        return Response(answer.status, answer.headers, content)

    @asynccontextmanager
    async def stream(
        self,
        path: str,
        *,
        query: Query | None = None,
        headers: Headers | None = None,
        timeout: float,  # noqa: ASYNC109 - see Transport
    ) -> AsyncIterator["_Stream"]:
        sent = await self._with_token(headers)
        try:
            async with asyncio.timeout(timeout):
                answer = await self._streams.get(
                    self._url(path, query),
                    headers=sent,
                    timeout=aiohttp.ClientTimeout(total=None),
                    allow_redirects=False,
                    **self._tls_options(),
                )
        except _ERRORS as error:
            raise TransportError(_message(error)) from error
        self._check(answer.status)
        try:
            yield _Stream(answer)
        finally:
            # The rest of a watch never comes to an end.
            answer.close()

    def _url(self, path: str, query: Query | None) -> URL:
        text = f"{self._access.server}{path}"
        return URL(f"{text}?{urlencode(query)}" if query else text, encoded=True)

    def _tls_options(self) -> dict[str, Any]:
        options: dict[str, Any] = {"ssl": self._tls}
        if self._access.server_name:
            options["server_hostname"] = self._access.server_name
        return options

    async def _with_token(self, headers: Headers | None) -> dict[str, str]:
        if self._plugin is not None:
            self._use(await self._plugin.get())
        else:
            try:
                self._reread()
            except _ERRORS as error:
                raise TransportError(_message(error)) from error
        result = dict(headers or {})
        if self._token:
            result["Authorization"] = f"Bearer {self._token}"
        return result

    def _check(self, status: int) -> None:
        """Renews credentials that the API server does not accept, before the next request."""
        if status != 401:
            return
        self._read_at = float("-inf")
        if self._plugin is not None and self._credential is not None:
            self._plugin.reject(self._credential)

    def _reread(self) -> None:
        now = time.monotonic()
        if now - self._read_at < REREAD_SECONDS:
            return
        stamps = [path.stat().st_mtime for path in self._access.files()]
        if stamps != self._stamps:
            # Connections are kept by their TLS context: a new one means new connections.
            self._tls = self._access.tls() or True
            self._stamps = stamps
        self._token = self._access.bearer()
        self._read_at = now

    def _use(self, credential: Credential) -> None:
        """Uses the credentials of a plugin from now on."""
        before, self._credential, self._token = self._credential, credential, credential.token
        if before is not None and (before.certificate, before.key) == (credential.certificate, credential.key):
            return
        try:
            access = self._access._replace(certificate=credential.certificate, key=credential.key)
            self._tls = access.tls() or True
        except _ERRORS as error:
            self._credential = None
            raise TransportError(f"The client certificate of the credential plugin is unusable: {error}") from error


class _Stream:
    """A StreamResponse over aiohttp."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer
        self.status = answer.status
        self.headers: Headers = answer.headers

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._answer.content.iter_any():
                yield chunk
        except _ERRORS as error:
            raise TransportError(_message(error)) from error


def _socket(address: Any) -> socket.socket:
    family, kind, protocol, _, _ = address
    made = socket.socket(family=family, type=kind, proto=protocol)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE.items():
        if hasattr(socket, name):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return made


def _message(error: BaseException) -> str:
    return str(error) or type(error).__name__
