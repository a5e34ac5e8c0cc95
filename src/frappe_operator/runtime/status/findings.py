"""What was found the last time somebody looked why workloads are not up, so that pods are not listed at each
reconcile."""

from dataclasses import dataclass

from frappe_operator.kube.stage import Verdict

MOST = 10_000

Subject = tuple[str, str]
"""The UID of an owner, and one of its conditions."""


@dataclass
class Finding:
    """One look at the workloads of one condition."""

    generations: tuple[object, ...]
    """Of the workloads: with another template begins another story."""
    question: tuple[object, ...]
    """What was looked at; something else is looked at anew."""
    since: float
    """When the story began, in seconds."""
    until: float
    """How long the finding stands."""
    verdict: Verdict | None = None
    """What was found; None: nothing but what counts say."""


class Findings:
    """The findings that stand. Forgotten with the process, which costs a list of pods each."""

    def __init__(self) -> None:
        self._by_subject: dict[Subject, Finding] = {}

    def get(self, subject: Subject) -> Finding | None:
        return self._by_subject.get(subject)

    def put(self, subject: Subject, finding: Finding) -> None:
        self._by_subject[subject] = finding
        if len(self._by_subject) > MOST:
            del self._by_subject[next(iter(self._by_subject))]

    def forget(self, subject: Subject) -> None:
        """There is nothing to find any more."""
        self._by_subject.pop(subject, None)
