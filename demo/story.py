"""Follows a bench and its site while they become ready, and tells each change of a condition once."""

from collections.abc import Callable
from typing import Any

from demo.objects import BENCH, NAMESPACE, SITE
from sandbox.deadline import until
from sandbox.installation import Kubectl, Operator
from sandbox.progress import Progress

COMPUTED = {"Ready", "Reconciling", "Stalled"}
PATIENCE_SECONDS = 900.0


class OperatorDied(Exception):
    """The operator's process ended by itself; the message is the end of its log."""


def follow(kubectl: Kubectl, operator: Operator, progress: Progress, last: str) -> None:
    """Returns when the bench is ready and the site's condition `last` is true, telling what happens until then."""
    told: dict[tuple[str, str], str] = {}
    with progress.step(f"FrappeBench {BENCH}"):
        _await(kubectl, operator, "frappebench", BENCH, "Ready", _tell(progress, told, BENCH))
    with progress.step(f"FrappeSite {SITE}"):
        _await(kubectl, operator, "frappesite", SITE, last, _tell(progress, told, SITE))


def conditions(live: dict[str, Any]) -> list[dict[str, str]]:
    """An object's conditions, as they stand in its status."""
    found: list[dict[str, str]] = live.get("status", {}).get("conditions", [])
    return found


def _await(
    kubectl: Kubectl,
    operator: Operator,
    kind: str,
    name: str,
    condition: str,
    tell: Callable[[list[dict[str, str]]], None],
) -> None:
    def there() -> bool:
        if not operator.running:
            raise OperatorDied(operator.log.read_text()[-2000:])
        found = conditions(kubectl.get(kind, name, f"--namespace={NAMESPACE}"))
        tell(found)
        return any(each["type"] == condition and each["status"] == "True" for each in found)

    until(there, PATIENCE_SECONDS, f"{kind} {name} to be {condition}")


def _tell(progress: Progress, told: dict[tuple[str, str], str], name: str) -> Callable[[list[dict[str, str]]], None]:
    def tell(found: list[dict[str, str]]) -> None:
        for each in found:
            text = f"{'✔' if each['status'] == 'True' else '·'} {each['type']}: {each['message']}"
            if each["type"] not in COMPUTED and told.get((name, each["type"])) != text:
                told[name, each["type"]] = text
                progress.note(text, about=each["type"])

    return tell
