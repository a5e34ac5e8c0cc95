"""Memory and resources of the Redis servers of a bench."""

import re

from frappe_operator.api.frappebench import MEMORY_LIMIT_MESSAGE, MEMORY_MESSAGE, FrappeBenchSpec
from frappe_operator.api.types import MEMORY
from frappe_operator.kube.quantities import amount, canonical
from frappe_operator.model.sizing import DEFAULTS, Amounts, limits

UNITS = {"": 1, "k": 1000, "kb": 1024, "ki": 1024, "m": 1000**2, "mb": 1024**2, "mi": 1024**2}
UNITS |= {"g": 1000**3, "gb": 1024**3, "gi": 1024**3, "kib": 1024, "mib": 1024**2, "gib": 1024**3}
USUAL_MEMORY = 256 * 1024**2


def redis_memory(text: str | None, limit: str | None = None) -> str:
    """Bytes, from Kubernetes' spelling or Redis' own (where `mb` is 1024² and `m` is 1000²).

    `limit`: of the server's memory, if one was asked for. Our own choice leaves a quarter of it to Redis itself. It
    also stands for text that is no amount, of which `memory_problem` tells.
    """
    if text is None or not re.fullmatch(f"{MEMORY}|[0-9]+", text):
        return str(min(USUAL_MEMORY, int(amount(limit)) * 3 // 4) if limit and amount(limit) else USUAL_MEMORY)
    number = text.rstrip("kKmMgGiIbB")
    return str(int(number) * UNITS[text[len(number) :].lower()])


def memory_problem(spec: FrappeBenchSpec) -> str:
    """What is wrong with the cache's memory, empty when nothing is.

    With less than a tenth of its limit for its own work Redis is killed before it makes room.
    """
    text = spec.redis_config.max_memory if spec.redis_config else None
    if text is None:
        return ""
    if re.fullmatch(MEMORY, text) is None:
        return f"redisConfig.maxMemory is {text}: {MEMORY_MESSAGE}"
    asked = spec.component_resources
    limit = amount(limits("redis", asked.redis if asked else None).get("memory", "0"))
    return MEMORY_LIMIT_MESSAGE if limit and int(redis_memory(text)) * 10 > limit * 9 else ""


def redis_defaults(max_memory: str) -> Amounts:
    """Resources of a Redis that is given none: room for what it may hold, and half as much for its own work."""
    usual = DEFAULTS["redis"]
    needed = canonical(int(max_memory) * 3 // 2)
    return {**usual, "limits": {"memory": max(usual["limits"]["memory"], needed, key=amount)}}
