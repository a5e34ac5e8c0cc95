"""CacheReady and DatabaseReady: the generated Secret with the password of a server exists."""

from collections.abc import Callable

from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import LiveChildren, Verdict


def exists(name: str, revision: str, follows: str) -> Callable[[LiveChildren], Verdict]:
    """Whether the Secret `name` exists; `revision` is empty while it does not. `follows`: what a new password restarts,
    for the message."""

    def ready(_: LiveChildren) -> Verdict:
        if revision:
            return Verdict(True, Reason.READY, f"Secret {name} exists.")
        return Verdict(False, Reason.PROVISIONING, f"Secret {name} is being generated; {follows} with the new password")

    return ready
