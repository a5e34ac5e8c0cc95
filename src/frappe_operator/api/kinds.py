"""The kinds that this operator owns, as cached: spec and status stay JSON until they are decoded."""

from typing import overload

import msgspec

from frappe_operator.api.frappebench import FrappeBenchSpec
from frappe_operator.api.frappesite import FrappeSiteSpec
from frappe_operator.kube.kinds import ADDED, BUILT_IN, Kind, KindOf, register
from frappe_operator.kube.live import Custom
from frappe_operator.kube.names import GROUP


class LiveBench(Custom):
    """A cached FrappeBench."""

    def decode(self) -> FrappeBenchSpec:
        """The spec. Raises msgspec.MsgspecError when it does not keep to the schema."""
        return msgspec.json.decode(self.spec, type=FrappeBenchSpec)


class LiveSite(Custom):
    """A cached FrappeSite."""

    def decode(self) -> FrappeSiteSpec:
        """The spec. Raises msgspec.MsgspecError when it does not keep to the schema."""
        return msgspec.json.decode(self.spec, type=FrappeSiteSpec)


@overload
def readable_spec(live: LiveBench) -> FrappeBenchSpec | None: ...


@overload
def readable_spec(live: LiveSite) -> FrappeSiteSpec | None: ...


def readable_spec(live: LiveBench | LiveSite) -> FrappeBenchSpec | FrappeSiteSpec | None:
    """The decoded spec; None when it does not match the schema."""
    try:
        return live.decode()
    except msgspec.MsgspecError:
        return None


BENCH = KindOf(GROUP, "v1alpha1", "FrappeBench", "frappebenches", LiveBench)
SITE = KindOf(GROUP, "v1alpha1", "FrappeSite", "frappesites", LiveSite)

OWN = register(BENCH, SITE)
"""The kinds whose objects users write and this operator reconciles."""
ALL: dict[tuple[str, str], Kind] = {(kind.api_version, kind.kind): kind for kind in (*BUILT_IN, *ADDED, *OWN)}
"""Every kind this operator knows, by apiVersion and kind."""
