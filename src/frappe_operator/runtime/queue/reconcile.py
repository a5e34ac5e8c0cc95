"""One look at one object: its reconcile, and what becomes of it. The one place where trouble is handled.

Three kinds of trouble. The user must act, or something else must come first (Blocked, Waiting): the conditions say so.
The API server or the network fails: it is tried again, later each time, and said when it lasts. Anything else is our
own mistake: it is said at once, logged in full, and tried again as well.
"""

import asyncio

import structlog

from frappe_operator.kube.conditions import READY
from frappe_operator.kube.kinds import Key, Kind
from frappe_operator.kube.live import Custom
from frappe_operator.kube.stage import Reason, Undecided, Verdict
from frappe_operator.runtime.client.errors import ApiError
from frappe_operator.runtime.client.transport import TransportError
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.controller import Controller
from frappe_operator.runtime.queue.queue import Queue
from frappe_operator.runtime.status.report import report

log = structlog.get_logger(__name__)

LONGEST_SECONDS = 300.0
"""A reconcile that takes longer is given up and tried again: it must not keep its key for ever."""
UNDECIDED_AGAIN_SECONDS = 60.0
"""When to look again at what the user has to change, should it be something that is no event of ours."""
PATIENCE = 4
"""Failures in a row of the API server or the network before the object says so."""


async def look(cluster: Cluster, controller: Controller, queue: Queue, key: Key) -> str:
    """Reconciles one object and has it looked at again when that is due. Returns the outcome: `done`, `undecided`,
    `retried` or `failed`."""
    outcome = "done"
    try:
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                again = await controller.reconcile(cluster, key)
        except Undecided as undecided:
            outcome, again = "undecided", UNDECIDED_AGAIN_SECONDS
            await _say(cluster, controller.kind, key, undecided.verdict)
        queue.forget(key)
        if again is not None:
            queue.add_after(key, again)
        return outcome
    except (ApiError, TransportError) as error:
        wait = error.retry_after or 0.0 if isinstance(error, ApiError) else 0.0
        pause = queue.retry(key, at_least=wait)
        log.info("trying again", kind=controller.kind.kind, object=str(key), seconds=round(pause, 1), error=str(error))
        lasting = queue.failures(key) >= PATIENCE or (isinstance(error, ApiError) and not error.passing)
        if lasting:
            sentence = f"The API server does not do its part, it is asked again: {error}"
            await _try_to_say(cluster, controller.kind, key, sentence)
        return "retried"
    except Exception as error:
        log.exception("reconcile failed", kind=controller.kind.kind, object=str(key))
        queue.retry(key)
        # The words of an unknown exception may hold anything, a password among it.
        sentence = f"The operator failed ({type(error).__name__}) and tries again; its log says more"
        await _try_to_say(cluster, controller.kind, key, sentence)
        return "failed"


async def _say(cluster: Cluster, kind: Kind, key: Key, verdict: Verdict) -> None:
    live = cluster.get(kind, key.namespace, key.name)
    if isinstance(live, Custom):
        # The stages' conditions stay, with the generation they were observed of: nothing newer is known of them.
        await report(cluster, kind, live, {READY: verdict}, {})


async def _try_to_say(cluster: Cluster, kind: Kind, key: Key, sentence: str) -> None:
    try:
        await _say(cluster, kind, key, Verdict(False, Reason.RECONCILE_ERROR, sentence[:1000]))
    except (ApiError, TransportError) as error:
        log.info("status not written", kind=kind.kind, object=str(key), error=str(error))
