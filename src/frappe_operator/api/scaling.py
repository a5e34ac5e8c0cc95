"""Autoscaling and web server settings of components: types of both kinds."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, field

from frappe_operator.api.types import REALTIME_REPLICAS, Rule, Section, validations

Percent = Annotated[int, Meta(ge=1, le=1000)]
Replicas = Annotated[int, Meta(ge=1, le=1000)]


class ScalingPolicy(Section):
    """One limit of the change of the number of replicas within a period."""

    type: Annotated[
        Literal["Pods", "Percent"],
        Meta(description="Whether `value` is a number of pods, or a percentage of the replicas there are."),
    ]
    value: Annotated[
        Annotated[int, Meta(ge=1, le=1000)], Meta(description="The largest change within the period.", examples=[1])
    ]
    period_seconds: Annotated[
        Annotated[int, Meta(ge=1, le=1800)], Meta(description="Length of the period in seconds.", examples=[60])
    ]


class ScalingRules(Section):
    """How fast the number of replicas changes in one direction."""

    stabilization_window_seconds: Annotated[
        Annotated[int, Meta(ge=0, le=3600)] | None,
        Meta(
            description="How long the metrics must ask for the change: the most cautious number within this time is "
            "applied. Default 0 (at once) for scaleUp, 300 for scaleDown."
        ),
    ] = None
    select_policy: Annotated[
        Literal["Max", "Min", "Disabled"] | None,
        Meta(
            description="Which policy applies if there are several: that of the largest change (Max, default), or of "
            "the smallest (Min). Disabled: the autoscaler does not scale in this direction."
        ),
    ] = None
    policies: Annotated[
        Annotated[
            list[ScalingPolicy],
            Meta(
                max_length=8,
                extra_json_schema={
                    "x-kubernetes-list-type": "atomic",
                    **validations(
                        Rule("size(self) > 0", "must have a policy: remove policies, or set selectPolicy: Disabled")
                    ),
                },
            ),
        ]
        | None,
        Meta(
            description="Limits of the change. Default: within 15 seconds, all replicas more or fewer, and at least 4 "
            "more."
        ),
    ] = None


class Behavior(Section):
    """How fast the number of replicas changes, per direction."""

    scale_up: Annotated[ScalingRules | None, Meta(description="More replicas. Default: at once.")] = None
    scale_down: Annotated[
        ScalingRules | None, Meta(description="Fewer replicas. Default: the largest number of the last 300 seconds.")
    ] = None


class Autoscaling(Section):
    """A HorizontalPodAutoscaler of one component."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.minReplicas) || !has(self.maxReplicas) || self.minReplicas <= self.maxReplicas",
            "minReplicas must not exceed maxReplicas: lower minReplicas or raise maxReplicas",
        ),
    )

    enabled: Annotated[
        bool | None,
        Meta(
            description="Whether an autoscaler decides on the number of replicas. Default false. It needs "
            "metrics-server or another source of resource metrics in the cluster; without metrics the number stays."
        ),
    ] = None
    min_replicas: Annotated[Replicas | None, Meta(description="Smallest number of replicas. Default 1.")] = None
    max_replicas: Annotated[
        Replicas | None, Meta(description="Largest number of replicas. Default 10, or minReplicas if that is more.")
    ] = None
    target_cpu_utilization: Annotated[
        Percent | None,
        Meta(
            description="Average CPU usage of the pods to aim at, in percent of their CPU requests. Default 80 if "
            "targetMemoryUtilization is not set either, otherwise none.",
            examples=[70],
        ),
    ] = field(default=None, name="targetCPUUtilization")
    target_memory_utilization: Annotated[
        Percent | None,
        Meta(
            description="Average memory usage of the pods to aim at, in percent of their memory requests. Default: "
            "none. Frappe rarely returns memory, so that a number of replicas that grew for it rarely shrinks."
        ),
    ] = None
    behavior: Annotated[
        Behavior | None,
        Meta(
            description="How fast the number of replicas changes. Default: up at once, down to the largest number of "
            "the last 300 seconds. Each field takes precedence over its default."
        ),
    ] = None


RealtimeReplicas = Annotated[int, Meta(ge=1, le=REALTIME_REPLICAS)]


class RealtimeAutoscaling(Autoscaling):
    """A HorizontalPodAutoscaler of the realtime server."""

    min_replicas: Annotated[RealtimeReplicas | None, Meta(description="Smallest number of replicas. Default 1.")] = None
    max_replicas: Annotated[RealtimeReplicas | None, Meta(description="Largest number of replicas. Default 5.")] = None


class ComponentHPA(Section):
    """A HorizontalPodAutoscaler per component."""

    gunicorn: Annotated[Autoscaling | None, Meta(description="Web server of each site.")] = None
    socketio: Annotated[RealtimeAutoscaling | None, Meta(description="Realtime server of each site.")] = None


class BenchHPA(ComponentHPA):
    """A HorizontalPodAutoscaler per component. nginx belongs to the bench; the other values are defaults for its
    sites."""

    nginx: Annotated[Autoscaling | None, Meta(description="Proxy of the bench.")] = None


class Gunicorn(Section):
    """Settings of the web server of a site."""

    workers: Annotated[
        Annotated[int, Meta(ge=1, le=64)] | None,
        Meta(
            description="Worker processes per replica. Each takes the memory of a whole Frappe process beyond what it "
            "shares with the others, so that the memory limit must grow with them. Default 2."
        ),
    ] = None
    threads: Annotated[
        Annotated[int, Meta(ge=1, le=64)] | None,
        Meta(
            description="Threads per worker process. A replica works on workers x threads requests at a time; the "
            "others wait. Default 4."
        ),
    ] = None
    timeout: Annotated[
        Annotated[int, Meta(ge=10, le=3600)] | None,
        Meta(
            description="Seconds after which a worker process that has given no sign of life is killed and replaced. "
            "A thread that works on a long request does not stop the signs of life of its worker. It is not the time "
            "that a request may take: the proxies in front wait for an answer as long as proxy.readTimeout says. "
            "Default 120."
        ),
    ] = None
    max_requests: Annotated[
        Annotated[int, Meta(ge=0, le=1_000_000)] | None,
        Meta(
            description="Number of requests after which a worker process is replaced by a new one, against memory "
            "that grows; up to a tenth more, at random, so that not all are replaced at a time. 0: never. Default 0."
        ),
    ] = None
