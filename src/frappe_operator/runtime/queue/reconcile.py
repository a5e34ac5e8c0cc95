"""One reconcile of one object and its outcome. The one place where problems are handled.

There are three kinds. The user must act, or something else must come first (Undecided): the Ready condition says
so. A request to the API server fails: the reconcile is retried with backoff, and Ready says so when it lasts. Anything
else is a bug in the operator: Ready says so at once, the log has the traceback, and the reconcile is retried too.
"""

import asyncio

import structlog

from frappe_operator.kube.conditions import READY
from frappe_operator.kube.kinds import KindOf
from frappe_operator.kube.live import Custom
from frappe_operator.kube.objects import Key
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Undecided, Verdict
from frappe_operator.runtime.client.errors import ApiError
from frappe_operator.runtime.client.transport import TransportError
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.controller import Controller
from frappe_operator.runtime.queue.queue import Queue
from frappe_operator.runtime.status.report import report

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 300.0
"""A reconcile that takes longer is cancelled and retried: it must not keep its key for ever."""
UNDECIDED_REQUEUE_SECONDS = 60.0
"""When an object is requeued that the user has to change, in case no watch delivers what the user changes."""
FAILURES_BEFORE_REPORT = 4
"""How many requests in a row must fail before the Ready condition says so."""


async def reconcile_key(cluster: Cluster, controller: Controller, queue: Queue, key: Key) -> str:
    """Reconciles one object and requeues it when that is due. Returns the outcome: `done`, `undecided`, `retried` or
    `failed`."""
    outcome = "done"
    try:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                requeue_after = await controller.reconcile(cluster, key)
        except Undecided as undecided:
            outcome, requeue_after = "undecided", UNDECIDED_REQUEUE_SECONDS
            await _report(cluster, controller.kind, key, undecided.verdict)
        queue.forget(key)
        if requeue_after is not None:
            queue.add_after(key, requeue_after)
        return outcome
    except (ApiError, TransportError) as error:
        at_least = error.retry_after or 0.0 if isinstance(error, ApiError) else 0.0
        pause = queue.retry(key, at_least)
        log.info(
            "request failed; retrying",
            kind=controller.kind.kind,
            object=str(key),
            seconds=round(pause, 1),
            error=str(error),
        )
        permanent = isinstance(error, ApiError) and not error.transient
        if permanent or queue.failures(key) >= FAILURES_BEFORE_REPORT:
            message = f"A request to the API server failed; retrying: {error}"
            await _report_error(cluster, controller.kind, key, message)
        return "retried"
    except Exception as error:
        log.exception("reconcile failed", kind=controller.kind.kind, object=str(key))
        queue.retry(key)
        # The message of an unknown exception may contain anything, even a password.
        message = f"The reconcile failed ({type(error).__name__}); retrying. See the log of the operator"
        await _report_error(cluster, controller.kind, key, message)
        return "failed"


async def _report(cluster: Cluster, kind: KindOf[Custom], key: Key, verdict: Verdict) -> None:
    live = cluster.get(kind, key.namespace, key.name)
    if isinstance(live, Custom):
        # The conditions of the stages stay as they are, with the generation that they were observed in.
        await report(cluster, kind, live, {READY: verdict}, {})


async def _report_error(cluster: Cluster, kind: KindOf[Custom], key: Key, message: str) -> None:
    try:
        await _report(cluster, kind, key, Verdict(False, Reason.RECONCILE_ERROR, message[:1000]))
    except (ApiError, TransportError) as error:
        log.info("status could not be written", kind=kind.kind, object=str(key), error=str(error))
