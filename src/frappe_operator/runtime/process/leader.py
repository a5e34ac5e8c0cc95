"""Leader election: one Lease, held by one process at a time.

No process trusts the clock of another. A candidate watches the Lease, and takes it when it has not changed for as long
as it is valid, by the candidate's own clock. The holder stops writing well before any candidate can conclude that.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog
from msgspec import Struct, field

from frappe_operator.kube.kinds import LEASE
from frappe_operator.kube.objects import Manifest
from frappe_operator.runtime.client.client import Client
from frappe_operator.runtime.client.errors import ApiError, Conflict, NotFound
from frappe_operator.runtime.client.transport import Headers, Query, Response, StreamResponse, Transport, TransportError

log = structlog.get_logger(__name__)

LEASE_SECONDS = 5
"""How long the Lease is valid after it was last renewed."""
SAFE_SECONDS = 4.0
"""How long after its last renewal the holder still writes."""
RENEW_SECONDS = 1.5
"""How often the holder renews the Lease."""
REQUEST_SECONDS = 2.0
"""How long a candidate waits for an answer before it sends another request."""
TRY_SECONDS = 0.5
"""How often a candidate reads the Lease."""


class NotLeading(TransportError):
    """A write was not sent, because another process may be the leader by now."""


class _LeaseMeta(Struct, rename="camel"):
    resource_version: str = ""


class _LeaseSpec(Struct, rename="camel"):
    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class _Lease(Struct):
    metadata: _LeaseMeta
    spec: _LeaseSpec = field(default_factory=_LeaseSpec)


class Leader:
    """A candidate for the Lease, and its holder while it can be."""

    def __init__(self, client: Client, namespace: str, name: str, identity: str, *, clock: Callable[[], float]) -> None:
        """`identity` must be different for every process that ever runs. `clock`: seconds since 1970, written into the
        Lease for people."""
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._clock = clock
        self._observed: _Lease | None = None
        self._observed_at = 0.0
        self._safe_until = 0.0
        self.leading = asyncio.Event()

    def may_write(self) -> bool:
        """Whether no other process can be the leader yet."""
        return asyncio.get_running_loop().time() < self._safe_until

    async def run(self) -> None:
        """Tries to become the leader, and then to stay it. Returns when this process is not the leader any more."""
        while not self.leading.is_set():
            pause = TRY_SECONDS
            try:
                async with asyncio.timeout(REQUEST_SECONDS):
                    await self._try_to_take()
            except (ApiError, TransportError, TimeoutError) as error:
                log.info("cannot read or take the Lease; retrying", error=str(error) or type(error).__name__)
                pause = max(pause, (error.retry_after or 0.0) if isinstance(error, ApiError) else 0.0)
            if not self.leading.is_set():
                await asyncio.sleep(pause)
        await self._hold()
        self.leading.clear()
        self._safe_until = 0.0
        log.error("not the leader any more", lease=self._name)

    async def release(self) -> None:
        """Releases the Lease, so that another process can become the leader at once."""
        if not self.leading.is_set():
            return
        self.leading.clear()
        self._safe_until = 0.0
        spec = {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": self._now()}
        try:
            await self._write_if_ours(self._observed, spec)
        except (ApiError, TransportError) as error:
            log.info("Lease was not released; it expires by itself", error=str(error))

    async def _try_to_take(self) -> None:
        lease = await self._read()
        now = asyncio.get_running_loop().time()
        if lease is None:
            # Deleted by somebody: its holder may not have noticed yet.
            if self._observed is None or now - self._observed_at >= LEASE_SECONDS:
                self._became_leader(now, await self._create())
            return
        if self._observed is None or self._observed.metadata.resource_version != lease.metadata.resource_version:
            self._observed, self._observed_at = lease, now
        spec = lease.spec
        valid_for = spec.lease_duration_seconds or LEASE_SECONDS
        # With the own identity in it the Lease is held: an earlier answer was lost.
        another = spec.holder_identity not in (None, "", self._identity)
        if another and now - self._observed_at < valid_for:
            return
        taken = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": LEASE_SECONDS,
            "acquireTime": self._now(),
            "renewTime": self._now(),
            "leaseTransitions": (spec.lease_transitions or 0) + 1,
        }
        try:
            self._became_leader(now, await self._write(lease, taken))
        except Conflict:
            # Another process was faster.
            return

    def _became_leader(self, asked_at: float, lease: _Lease) -> None:
        self._observed = lease
        self._safe_until = asked_at + SAFE_SECONDS
        self.leading.set()
        log.info("became the leader", lease=self._name, identity=self._identity)

    async def _hold(self) -> None:
        """Renews the Lease until that has failed for too long, or another process holds it."""
        loop = asyncio.get_running_loop()
        pause = RENEW_SECONDS
        while self.may_write():
            await asyncio.sleep(pause)
            asked_at, pause = loop.time(), RENEW_SECONDS
            try:
                async with asyncio.timeout(RENEW_SECONDS):
                    if not await self._write_if_ours(self._observed, {"renewTime": self._now()}):
                        return
            except (ApiError, TransportError, TimeoutError) as error:
                log.warning("Lease was not renewed; retrying", error=str(error) or type(error).__name__)
                pause = TRY_SECONDS
            else:
                self._safe_until = asked_at + SAFE_SECONDS

    async def _write_if_ours(self, cached: _Lease | None, spec: dict[str, Any]) -> bool:
        """Writes the Lease if this process holds it. Returns whether it does."""
        try:
            if cached is not None:
                self._observed = await self._write(cached, spec)
                return True
        except (Conflict, NotFound):
            # Somebody has changed it: a person, or this process with a write whose answer was lost.
            self._observed = None
        lease = await self._read()
        if lease is None or lease.spec.holder_identity != self._identity:
            return False
        self._observed = await self._write(lease, spec)
        return True

    async def _read(self) -> _Lease | None:
        try:
            return _decoded(await self._client.get(LEASE, self._namespace, self._name))
        except NotFound:
            return None

    async def _create(self) -> _Lease:
        lease: Manifest = {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": {"namespace": self._namespace, "name": self._name},
            "spec": {
                "holderIdentity": self._identity,
                "leaseDurationSeconds": LEASE_SECONDS,
                "acquireTime": self._now(),
                "renewTime": self._now(),
                "leaseTransitions": 0,
            },
        }
        return _decoded(await self._client.create(lease))

    async def _write(self, lease: _Lease, spec: dict[str, Any]) -> _Lease:
        patch = {"metadata": {"resourceVersion": lease.metadata.resource_version}, "spec": spec}
        return _decoded(await self._client.patch(LEASE, self._namespace, self._name, patch))

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _decoded(body: bytes) -> _Lease:
    try:
        return msgspec.json.decode(body, type=_Lease)
    except msgspec.MsgspecError as error:
        raise TransportError(f"The answer is no Lease: {error}") from error


class Fence:
    """A Transport that sends no write while `may_write` is false: this process may have lost the Lease without noticing
    it yet."""

    def __init__(self, inner: Transport, may_write: Callable[[], bool]) -> None:
        self._inner = inner
        self._may_write = may_write

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
        if method != "GET" and not self._may_write():
            raise NotLeading("this process is not the leader any more")
        return await self._inner.request(method, path, query=query, headers=headers, body=body, timeout=timeout)

    def stream(
        self,
        path: str,
        *,
        query: Query | None = None,
        headers: Headers | None = None,
        timeout: float,
    ) -> AbstractAsyncContextManager[StreamResponse]:
        return self._inner.stream(path, query=query, headers=headers, timeout=timeout)
