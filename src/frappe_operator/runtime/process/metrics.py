"""The metrics of the operator for Prometheus. Every name, with its unit, is defined here."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from frappe_operator.kube.kinds import Kind

SECONDS = (0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0)


class Metrics:
    """The metrics of one operator process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "frappe_operator_requests",
            "Requests to the API server by verb, kind and HTTP status; 0: there was no answer.",
            ["verb", "kind", "status"],
            registry=self.registry,
        )
        self._reconciles = Histogram(
            "frappe_operator_reconcile_seconds",
            "Time of one reconcile, by kind and outcome: done, undecided, retried, failed.",
            ["kind", "outcome"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.keys = Gauge(
            "frappe_operator_queue_keys",
            "Keys by kind and state: ready for a worker, running, delayed until their time comes.",
            ["kind", "state"],
            registry=self.registry,
        )
        self.watch_age = Gauge(
            "frappe_operator_watch_age_seconds",
            "Seconds since the last byte from the API server on a watch; more than 60 is a fault.",
            ["kind", "namespace"],
            registry=self.registry,
        )
        self.objects = Gauge("frappe_operator_objects", "Cached objects.", ["kind"], registry=self.registry)
        self.broken = Gauge(
            "frappe_operator_broken_objects_total",
            "Objects that could not be decoded.",
            ["kind", "namespace"],
            registry=self.registry,
        )
        self.leading = Gauge("frappe_operator_leading", "1 while this process is the leader.", registry=self.registry)
        self._counters: dict[tuple[str, Kind, int], Counter] = {}

    def request(self, verb: str, kind: Kind, status: int) -> None:
        """Counts one answer of the API server."""
        counter = self._counters.get((verb, kind, status))
        if counter is None:
            counter = self._requests.labels(verb, kind.kind, str(status))
            self._counters[verb, kind, status] = counter
        counter.inc()

    def reconciled(self, kind: Kind, outcome: str, seconds: float) -> None:
        """Records a reconcile that has ended."""
        self._reconciles.labels(kind.kind, outcome).observe(seconds)
