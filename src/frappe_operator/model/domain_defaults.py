"""Host names that a bench gives to sites without a domain: by its suffix, or by the address of a load balancer."""

import ipaddress
from collections.abc import Mapping
from typing import Any, NamedTuple

from msgspec import Struct

from frappe_operator.api.frappebench import DomainConfig
from frappe_operator.kube.objects import Key

IP_SUFFIX = "nip.io"
"""Domain whose names resolve to the IP address that they contain."""


class DetectedAddress(Struct, frozen=True):
    """The address of the load balancer of a Service, as the status of a bench records it."""

    service: str = ""
    """The Service as `namespace/name`; empty when there is no address."""
    address: str = ""
    """IP address or host name."""


NO_ADDRESS = DetectedAddress()


class DomainDefaults(NamedTuple):
    """How sites of a bench are named that have no domain of their own: by at most one of the first four fields; without
    any, the siteName is the domain."""

    suffix: str | None = None
    """Appended to siteName, with its dot."""
    detected_suffix: str | None = None
    """The same, from the IP address of a load balancer."""
    detected_host: str | None = None
    """The host name of a load balancer, which is the domain of one site."""
    waits_for: Key | None = None
    """The Service whose load balancer has had no address yet."""
    wildcards: bool = False
    """Whether sites may have wildcard hosts."""


NO_DEFAULTS = DomainDefaults()


def service(config: DomainConfig | None, namespace: str) -> Key | None:
    """The Service whose address names the sites of a bench in `namespace`; None when none does."""
    if config is None or config.suffix or not config.auto_detect or config.ingress_controller_ref is None:
        return None
    ref = config.ingress_controller_ref
    return Key(ref.namespace or namespace, ref.name)


def defaults(config: DomainConfig | None, namespace: str, recorded: DetectedAddress) -> DomainDefaults:
    """The names of the sites of a bench in `namespace`. `recorded`: the address in the status of the bench."""
    if config is None:
        return NO_DEFAULTS
    return _names(config, namespace, recorded)._replace(wildcards=bool(config.allow_wildcards))


def _names(config: DomainConfig, namespace: str, recorded: DetectedAddress) -> DomainDefaults:
    if config.suffix:
        return DomainDefaults(suffix=config.suffix)
    if (key := service(config, namespace)) is None:
        return NO_DEFAULTS
    if recorded.service != str(key) or not recorded.address:
        return DomainDefaults(waits_for=key)
    if label := _label(recorded.address):
        return DomainDefaults(detected_suffix=f".{label}.{config.ip_suffix or IP_SUFFIX}")
    return DomainDefaults(detected_host=recorded.address)


def detected(live: Mapping[str, Any] | None, key: Key, recorded: DetectedAddress) -> DetectedAddress:
    """The address of the load balancer of the Service `key`: of its live object, or the recorded one while it has
    none, so that sites keep their names while a load balancer is replaced."""
    entries = (live or {}).get("status", {}).get("loadBalancer", {}).get("ingress") or [{}]
    # AWS gives host names, others IP addresses.
    address = entries[0].get("hostname") or entries[0].get("ip") or ""
    if address:
        return DetectedAddress(str(key), address.lower().rstrip("."))
    return recorded if recorded.service == str(key) else NO_ADDRESS


def _label(address: str) -> str:
    """An IP address as one label of a host name; empty for a host name."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    # A label neither begins nor ends with a hyphen: the short form of IPv6 may.
    return found.exploded.replace(":", "-").replace(".", "-")
