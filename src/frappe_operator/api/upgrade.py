"""How the sites of a bench upgrade."""

from typing import Annotated, Literal

from msgspec import Meta

from frappe_operator.api.types import (
    ObjectName,
    Rule,
    Section,
    matching,
)

Duration = Annotated[
    str, matching(r"^[1-9][0-9]{0,5}[smhd]$", "must be a number with a unit: s, m, h or d, such as 30m or 6h", 7)
]
ClockTime = Annotated[str, matching("^([01][0-9]|2[0-3]):[0-5][0-9]$", "must be a time of the day such as 22:30", 5)]
Day = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


class UpgradeWindow(Section):
    """The hours in which the upgrade of a site may begin. One that has begun goes on."""

    rules = (Rule("self.start != self.end", "start and end are equal: remove window to allow every hour"),)

    start: Annotated[ClockTime, Meta(description="Time at which the window opens.", examples=["22:00"])]
    end: Annotated[
        ClockTime,
        Meta(description="Time at which it closes, on the next day if it is before `start`.", examples=["04:00"]),
    ]
    days: Annotated[
        Annotated[list[Day], Meta(max_length=7, extra_json_schema={"x-kubernetes-list-type": "set"})] | None,
        Meta(description="Days on which the window opens. Default: every day.", examples=[["Saturday", "Sunday"]]),
    ] = None
    time_zone: Annotated[
        Annotated[
            str,
            matching(
                "^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$", "must be the name of a time zone such as Europe/Berlin", 64
            ),
        ]
        | None,
        Meta(description="Time zone of the hours and days. Default UTC.", examples=["Europe/Berlin"]),
    ] = None


class Upgrade(Section):
    """How the sites of the bench go over to a new image. Each site is upgraded by itself, and serves on with the
    image and the data of before if that fails."""

    strategy: Annotated[
        Literal["Automatic", "Manual"] | None,
        Meta(
            description="Automatic (default): sites are upgraded one after the other. Manual: a site is upgraded when "
            "its spec.release names the image."
        ),
    ] = None
    max_concurrent: Annotated[
        Annotated[int, Meta(ge=1, le=1000)] | None,
        Meta(description="How many sites are upgraded at the same time. Default 1."),
    ] = None
    canary: Annotated[
        Annotated[list[ObjectName], Meta(max_length=32, extra_json_schema={"x-kubernetes-list-type": "set"})] | None,
        Meta(
            description="Names of FrappeSites that are upgraded first. If one of them fails, no other site is begun.",
            examples=[["staging"]],
        ),
    ] = None
    pause_after_canary: Annotated[
        Duration | None,
        Meta(description="How long the other sites wait after the last canary. Default: not at all.", examples=["2h"]),
    ] = None
    max_failures: Annotated[
        Annotated[int, Meta(ge=0, le=1000)] | None,
        Meta(description="With more failed sites than this, no further site is begun. Default 1."),
    ] = None
    window: Annotated[
        UpgradeWindow | None, Meta(description="Hours in which the upgrade of a site may begin. Default: any hour.")
    ] = None
    drain_timeout: Annotated[
        Duration | None,
        Meta(
            description="How long a site's turn waits for running jobs before its condition Upgraded says where they "
            "run. The jobs still end first. Default 10m."
        ),
    ] = None
    migration_timeout: Annotated[
        Duration | None,
        Meta(description="How long the migration of one site may take before it counts as failed. Default 6h."),
    ] = None
    keep_dumps: Annotated[
        Annotated[int, Meta(ge=0, le=20)] | None,
        Meta(
            description="How many dumps of the database, one of each upgrade, are kept on the volume of a site. "
            "Default 1."
        ),
    ] = None
