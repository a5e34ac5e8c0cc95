"""The types both kinds are made of. Every limit in here becomes part of the published schema."""

from typing import Annotated, ClassVar

from msgspec import Meta, Struct


class Rule(Struct, frozen=True):
    """A CEL rule of the schema: the API server refuses what breaks it, with this message."""

    rule: str
    message: str


class Asked(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """A part of a spec. A field that is absent is None here; what that means is decided in `model`."""

    rules: ClassVar[tuple[Rule, ...]] = ()


def said(pattern: str, message: str, max_length: int) -> Meta:
    """A string that must match, and the sentence that says so.

    A rule instead of a `pattern`, because the API server shows a pattern that is not matched as it is.
    """
    rule = f"self.matches(r'{pattern}')"
    return Meta(
        max_length=max_length, extra_json_schema={"x-kubernetes-validations": [{"rule": rule, "message": message}]}
    )


LABEL = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
DNS_NAME = rf"^{LABEL}(\.{LABEL})*$"
HOST = LABEL.replace("a-z", "A-Za-z")

ObjectName = Annotated[
    str, said(DNS_NAME, "write the name of a Kubernetes object: lower case letters, digits, - and .", 253)
]
HostName = Annotated[
    str,
    said(rf"^{HOST}(\.{HOST})*\.?$", "write a host name such as shop.example.com, without scheme, port or path", 254),
]
AppName = Annotated[
    str,
    said("^[a-z][a-z0-9_]*$", "write the name of the app's Python package, such as erpnext", 64),
]
Quantity = Annotated[
    int | str,
    Meta(
        extra_json_schema={
            "x-kubernetes-int-or-string": True,
            "maxLength": 32,
            "x-kubernetes-validations": [
                {
                    "rule": r"type(self) == int || string(self).matches(r'^[0-9]+(\.[0-9]+)?(m|[kMGTP]|[KMGTP]i)?$')",
                    "message": "write an amount such as 5Gi, 512Mi, 500m or 2",
                }
            ],
        }
    ),
]
ImageName = Annotated[
    str,
    said(
        r"^[a-z0-9][a-z0-9._:/-]*(:[A-Za-z0-9._-]+)?(@sha256:[0-9a-f]{64})?$",
        "write an image such as registry.example.com/mariadb:10.11",
        512,
    ),
]
Tag = said(r"^[A-Za-z0-9_][A-Za-z0-9._-]*$", "write the tag of an image, such as version-15 or v15.51.1", 128)


class LocalReference(Asked):
    """The name of an object in the same namespace."""

    name: Annotated[ObjectName, Meta(description="Name of the object.", examples=["registry-login"])]


class Resources(Asked):
    """What a container asks for and may use, as in a pod."""

    requests: Annotated[
        dict[str, Quantity] | None,
        Meta(
            description="Guaranteed amounts.",
            examples=[{"cpu": "200m", "memory": "256Mi"}],
            extra_json_schema={"maxProperties": 8},
        ),
    ] = None
    limits: Annotated[
        dict[str, Quantity] | None,
        Meta(
            description="Upper bounds.",
            examples=[{"cpu": "1", "memory": "1Gi"}],
            extra_json_schema={"maxProperties": 8},
        ),
    ] = None


Count = Annotated[int, Meta(ge=0, le=1000)]


class ComponentReplicas(Asked):
    """Number of pods a component. The scheduler is always one: two would run every job twice."""

    gunicorn: Annotated[Count | None, Meta(description="Web servers of each site. Default 1.")] = None
    socketio: Annotated[
        Annotated[int, Meta(ge=0, le=1)] | None,
        Meta(description="Realtime servers of each site. Default 1, and no more: long polling breaks over two."),
    ] = None
    worker_default: Annotated[
        Count | None, Meta(description="Workers of the queues default, short, long. Default 1.")
    ] = None
    worker_long: Annotated[Count | None, Meta(description="Workers of the queue long. Default 1.")] = None
    worker_short: Annotated[Count | None, Meta(description="Workers of the queue short. Default 1.")] = None


class ComponentResources(Asked):
    """Requests and limits a component."""

    gunicorn: Annotated[Resources | None, Meta(description="Web servers.")] = None
    socketio: Annotated[Resources | None, Meta(description="Realtime server.")] = None
    scheduler: Annotated[Resources | None, Meta(description="Scheduler.")] = None
    worker_default: Annotated[Resources | None, Meta(description="Workers of the queues default, short, long.")] = None
    worker_long: Annotated[Resources | None, Meta(description="Workers of the queue long.")] = None
    worker_short: Annotated[Resources | None, Meta(description="Workers of the queue short.")] = None
