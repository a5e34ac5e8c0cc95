"""Memory and resources of the Redis servers of a bench."""

import re

from frappe_operator.api.frappebench import MEMORY_LIMIT_MESSAGE, MEMORY_MESSAGE, FrappeBenchSpec
from frappe_operator.api.types import MEMORY
from frappe_operator.kube.quantities import amount, canonical
from frappe_operator.model.sizing import DEFAULTS, Amounts, limits

UNITS = {"": 1, "k": 1000, "kb": 1024, "ki": 1024, "m": 1000**2, "mb": 1024**2, "mi": 1024**2}
UNITS |= {"g": 1000**3, "gb": 1024**3, "gi": 1024**3, "kib": 1024, "mib": 1024**2, "gib": 1024**3}
DEFAULT_MEMORY = 256 * 1024**2
"""Default memory of the cache in bytes."""


def redis_memory(text: str | None, limit: str | None = None) -> str:
    """`maxmemory` in bytes, from a quantity of Kubernetes or of Redis (where `mb` is 1024² and `m` is 1000²).

    `limit`: the declared memory limit of the server. The default leaves a quarter of it to Redis itself. Text that is
    not an amount results in the default as well; `memory_problem` reports it.
    """
    if text is None or not re.fullmatch(f"{MEMORY}|[0-9]+", text):
        return str(min(DEFAULT_MEMORY, int(amount(limit)) * 3 // 4) if limit and amount(limit) else DEFAULT_MEMORY)
    number = text.rstrip("kKmMgGiIbB")
    return str(int(number) * UNITS[text[len(number) :].lower()])


def memory_problem(spec: FrappeBenchSpec) -> str:
    """A message about an invalid or too large `redisConfig.maxMemory`; empty when it is valid.

    Redis needs a tenth of its memory limit for itself: with less it is killed before it evicts keys.
    """
    text = spec.redis_config.max_memory if spec.redis_config else None
    if text is None:
        return ""
    if re.fullmatch(MEMORY, text) is None:
        return f"redisConfig.maxMemory is {text}: {MEMORY_MESSAGE}"
    declared = spec.component_resources
    limit = amount(limits("redis", declared.redis if declared else None).get("memory", "0"))
    return MEMORY_LIMIT_MESSAGE if limit and int(redis_memory(text)) * 10 > limit * 9 else ""


def redis_defaults(max_memory: str) -> Amounts:
    """Default resources of Redis. The memory limit is at least one and a half times `max_memory`, given in bytes."""
    defaults = DEFAULTS["redis"]
    needed = canonical(int(max_memory) * 3 // 2)
    return {**defaults, "limits": {"memory": max(defaults["limits"]["memory"], needed, key=amount)}}
