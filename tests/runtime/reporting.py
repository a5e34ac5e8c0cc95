"""For tests of the status, Events and failures: reports verdicts, runs reconciles, reads what was written."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from frappe_operator.kube.kinds import EVENT, Ref
from frappe_operator.kube.objects import Key, Manifest
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Verdict
from frappe_operator.runtime.controller import Controller
from frappe_operator.runtime.queue.reconcile import reconcile_key
from frappe_operator.runtime.status.report import report
from tests.runtime.environment import OWNER, TOY, Environment

YES = Verdict(True, Reason.READY, "There.")
NO = Verdict(False, Reason.PROVISIONING, "Not yet.")
STUCK = Verdict(False, Reason.NAME_CONFLICT, "Do something.", blocked=True)


async def report_verdicts(env: Environment, extra: dict[str, Any] | None = None, **verdicts: Verdict) -> None:
    await report(env.cluster, TOY, env.owner, verdicts, extra or {})
    await asyncio.sleep(0.1)


def status(env: Environment) -> Manifest:
    found: Manifest = env.get(TOY, OWNER.name).get("status", {})
    return found


def conditions(env: Environment) -> dict[str, tuple[str, str]]:
    return {each["type"]: (each["status"], each["reason"]) for each in status(env)["conditions"]}


def events(env: Environment) -> list[tuple[str, str, str]]:
    found = [record.obj for record in env.api.store.list(EVENT)]
    return sorted((each["action"], each["type"], each["reason"]) for each in found)


def ref() -> Ref:
    return Ref(TOY, *OWNER)


async def reconcile_with(env: Environment, reconcile: Callable[[], Awaitable[float | None]], times: int = 1) -> str:
    async def ignoring_arguments(cluster: object, key: Key) -> float | None:
        return await reconcile()

    outcome = ""
    queue = env.engine.queues[TOY]
    for _ in range(times):
        outcome = await reconcile_key(env.cluster, Controller(TOY, ignoring_arguments), queue, OWNER)
        await asyncio.sleep(0.1)
    return outcome


def raising(error: Exception) -> Callable[[], Awaitable[float | None]]:
    async def reconcile() -> float | None:
        raise error

    return reconcile
