"""Types that several kinds use. Their limits and rules are part of the published schema."""

from typing import Annotated, ClassVar

from msgspec import Meta, Struct


class Rule(Struct, frozen=True):
    """A CEL rule of the schema. The API server rejects an object that breaks it, with this message."""

    rule: str
    message: str


class Section(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """A section of a spec or status. An absent field is None; its default is decided in `model`."""

    rules: ClassVar[tuple[Rule, ...]] = ()


def matching(pattern: str, message: str, max_length: int, *others: Rule) -> Meta:
    """Schema of a string that must match a pattern; `message` is shown when it does not. `others`: further rules.

    It is a CEL rule and not a `pattern`, because for a pattern the API server shows the regular expression.
    """
    rules = (Rule(f"self.matches(r'{pattern}')", message), *others)
    return Meta(max_length=max_length, extra_json_schema=validations(*rules))


def validations(*rules: Rule) -> dict[str, object]:
    """The part of a schema that contains rules."""
    return {"x-kubernetes-validations": [{"rule": each.rule, "message": each.message} for each in rules]}


LABEL = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
DNS_NAME = rf"^{LABEL}(\.{LABEL})*$"
HOST = LABEL.replace("a-z", "A-Za-z")

ObjectName = Annotated[
    str, matching(DNS_NAME, "must be the name of a Kubernetes object: lowercase letters, digits, '-' and '.'", 253)
]
NOT_AN_ADDRESS = Rule(
    # Browsers take a host that ends in a number for an address.
    r"!self.matches(r'(^|\.)([0-9]+|0[xX][0-9a-fA-F]*)\.?$')",
    "must be a host name, not an IP address: use a name that resolves to the address, such as shop.example.com",
)
# A name with a wildcard, or in another alphabet, has a message of its own.
IN_ASCII = Rule(
    r"!self.matches(r'[^\x00-\x7F]')",
    "must be in ASCII: write an internationalised name in punycode, such as xn--bcher-kva.example for "
    "b\u00fccher.example; `frappe-operator validate` says what to write",
)


def host_name(pattern: str, message: str, max_length: int, *others: Rule) -> Meta:
    """Schema of a host name that must match a pattern."""
    matches = Rule(f"self.matches(r'[*]|[^\\x00-\\x7F]') || self.matches(r'{pattern}')", message)
    return Meta(max_length=max_length, extra_json_schema=validations(matches, IN_ASCII, *others))


NOT_TOO_LONG = Rule("size(self) < 254 || self.endsWith('.')", "must be at most 253 characters")
HOST_MESSAGE = "must be a host name such as shop.example.com, without scheme, port or path"
HostName = Annotated[
    str,
    host_name(
        rf"^{HOST}(\.{HOST})*\.?$",
        HOST_MESSAGE,
        254,
        Rule("!self.contains('*')", "the primary host name cannot be a wildcard: list the wildcard in aliases"),
        NOT_TOO_LONG,
        NOT_AN_ADDRESS,
    ),
]
OtherHostName = Annotated[
    str,
    host_name(
        rf"^{HOST}(\.{HOST})*\.?$",
        HOST_MESSAGE,
        254,
        Rule(
            rf"!self.contains('*') || self.matches(r'[^\x00-\x7F]|^[*](\.{HOST}){{2,}}\.?$')",
            "a wildcard stands for the whole first label before a domain of at least two, such as *.shop.example.com",
        ),
        NOT_TOO_LONG,
        NOT_AN_ADDRESS,
    ),
]
AppName = Annotated[
    str,
    matching("^[a-z][a-z0-9_]*$", "must be the name of the app's Python package, such as erpnext", 64),
]
HEXTET = "[0-9A-Fa-f]{1,4}"
OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
IPV4 = rf"{OCTET}(\.{OCTET}){{3}}"
IPV6 = "|".join(
    [
        f"({HEXTET}:){{7}}{HEXTET}",
        f"({HEXTET}:){{1,7}}:",
        *(f"({HEXTET}:){{1,{7 - right}}}(:{HEXTET}){{1,{right}}}" for right in range(1, 7)),
        f":(:{HEXTET}){{1,7}}",
    ]
)
NETWORK = rf"^(({IPV4})/([1-9]|[12][0-9]|3[0-2])|({IPV6})/([1-9]|[1-9][0-9]|1[01][0-9]|12[0-8]))$"
Network = Annotated[
    str,
    matching(
        NETWORK,
        "must be a network such as 10.244.0.0/16 or fd00:10:244::/56; write a single address as 10.0.0.7/32 or "
        "fd00::7/128; a network that contains every address (/0) is not allowed",
        43,
    ),
]
AMOUNT = r"^(0|[1-9][0-9]*)(\.[0-9]+)?(m|[kMGTP]|[KMGTP]i)?$"

QUANTITY_MESSAGE = "must be a quantity such as 5Gi, 512Mi, 500m or 2"


def compares(amount: str, comparison: str, bound: str) -> str:
    """A CEL expression that compares a quantity with a bound; true if the value is not a quantity."""
    text = f"string({amount})"
    return f"(!isQuantity({text}) || quantity({text}).compareTo(quantity('{bound}')) {comparison} 0)"


IS_QUANTITY = Rule(
    f"type(self) == int ? self >= 0 : string(self).matches(r'{AMOUNT}')",
    QUANTITY_MESSAGE,
)


def quantity_rules(*rules: Rule) -> Meta:
    """Schema of a quantity, written as a number or as a text, that keeps to `rules`."""
    return Meta(extra_json_schema={"x-kubernetes-int-or-string": True, "maxLength": 32, **validations(*rules)})


# The API server silently changes larger numbers.
Quantity = Annotated[
    int | str, quantity_rules(IS_QUANTITY, Rule(compares("self", "<=", "1Ei"), "must be at most 1024Pi"))
]
StorageSize = Annotated[
    int | str,
    quantity_rules(
        IS_QUANTITY,
        Rule(
            f"{compares('self', '>=', '1Mi')} && {compares('self', '<=', '1Ei')}",
            "must be between 1Mi and 1024Pi: write the size with a unit, such as 5Gi",
        ),
    ),
]

# The grammar of image references: a registry with its port, then a path.
REPOSITORY = (
    r"([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*(:[0-9]{1,5})?/)?"
    r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*"
)
TAG = "[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
DIGEST = "sha256:[0-9a-f]{64}"
Repository = Annotated[
    str,
    matching(
        # Tag and digest are matched here, because they have a message of their own.
        rf"^{REPOSITORY}(:[^/@]*)?(@[^/]*)?$",
        "must be an image name without a tag, such as registry.example.com/erp",
        255,
        Rule(
            "!self.matches(r'[:@][^/]*$')",
            "must not contain a tag or digest: set imageConfig.tag or imageConfig.digest instead",
        ),
    ),
]
ImageName = Annotated[
    str,
    matching(
        rf"^{REPOSITORY}(:{TAG})?(@{DIGEST})?$",
        "must be an image name such as registry.example.com/mariadb:10.11",
        512,
    ),
]
Tag = matching(rf"^{TAG}$", "must be an image tag, such as version-15 or v15.51.1", 128)

MEMORY = r"^[1-9][0-9]*[kKmMgG]i?[bB]?$"
"""Matches an amount of memory with a unit, as a Kubernetes quantity or in Redis notation."""


def memory(text: str) -> str:
    """A CEL expression that converts an amount of memory to a quantity: `mb` of Redis is `Mi`, its `m` is `M`."""
    binary = f"{text}.upperAscii().replace('I', '').replace('B', '') + 'i'"
    return f"quantity({text}.matches(r'[iIbB]$') ? {binary} : {text}.upperAscii().replace('K', 'k'))"


class LocalReference(Section):
    """Reference to an object in the same namespace."""

    name: Annotated[ObjectName, Meta(description="Name of the object.", examples=["registry-login"])]


COUNTED = "['cpu', 'memory', 'ephemeral-storage']"
BYTES = "['memory', 'ephemeral-storage']"
Amounts = Annotated[
    dict[str, Quantity],
    Meta(
        extra_json_schema={
            "maxProperties": 8,
            **validations(
                Rule(f"self.all(name, name in {COUNTED})", "only cpu, memory and ephemeral-storage are supported"),
                Rule(
                    f"{BYTES}.all(name, !(name in self) || {compares('self[name]', '==', '0')} || "
                    f"{compares('self[name]', '>=', '1Mi')})",
                    "memory and ephemeral-storage are in bytes and must be at least 1Mi: write a unit, such as 512Mi",
                ),
            ),
        }
    ),
]


class Resources(Section):
    """Resource requests and limits of a container."""

    rules = (
        Rule(
            "!has(self.requests) || !has(self.limits) || self.requests.all(name, !(name in self.limits) || "
            "!isQuantity(string(self.requests[name])) || !isQuantity(string(self.limits[name])) || "
            "quantity(string(self.requests[name])).compareTo(quantity(string(self.limits[name]))) <= 0)",
            "a request must not exceed the limit of the same resource: lower the request or raise the limit",
        ),
    )

    requests: Annotated[
        Amounts | None,
        Meta(description="Amounts reserved for the container.", examples=[{"cpu": "200m", "memory": "256Mi"}]),
    ] = None
    limits: Annotated[
        Amounts | None,
        Meta(description="Maximum amounts that the container may use.", examples=[{"cpu": "1", "memory": "1Gi"}]),
    ] = None


Count = Annotated[int, Meta(ge=0, le=1000)]
REALTIME_REPLICAS = 5
"""The largest number of realtime servers of a site. All of them receive all its events."""


class ComponentReplicas(Section):
    """Replicas per component. The scheduler always has one replica: two would enqueue every job twice."""

    gunicorn: Annotated[Count | None, Meta(description="Web server replicas of each site. Default 1.")] = None
    socketio: Annotated[
        Annotated[int, Meta(ge=0, le=REALTIME_REPLICAS)] | None,
        Meta(description="Realtime server replicas of each site. Default 1."),
    ] = None
    worker_default: Annotated[
        Count | None, Meta(description="Worker replicas for the queues default, short and long. Default 1.")
    ] = None
    worker_long: Annotated[Count | None, Meta(description="Worker replicas for the queue long. Default 1.")] = None
    worker_short: Annotated[Count | None, Meta(description="Worker replicas for the queue short. Default 1.")] = None


class ComponentResources(Section):
    """Resource requests and limits per component."""

    gunicorn: Annotated[Resources | None, Meta(description="Web server.")] = None
    socketio: Annotated[Resources | None, Meta(description="Realtime server.")] = None
    scheduler: Annotated[Resources | None, Meta(description="Scheduler.")] = None
    worker_default: Annotated[Resources | None, Meta(description="Worker for the queues default, short and long.")] = (
        None
    )
    worker_long: Annotated[Resources | None, Meta(description="Worker for the queue long.")] = None
    worker_short: Annotated[Resources | None, Meta(description="Worker for the queue short.")] = None
    front_door: Annotated[
        Resources | None,
        Meta(
            description="nginx in front of gunicorn, in the same pod. With TLS there is a second one with as much, for "
            "requests of the site to itself."
        ),
    ] = None
    layout: Annotated[
        Resources | None,
        Meta(description="Init container of every pod of a site; it prepares the directories that the pod sees."),
    ] = None
    jobs: Annotated[
        Resources | None,
        Meta(description="Jobs that work on a site or its database, and the Job of the bench that inspects the image."),
    ] = None
