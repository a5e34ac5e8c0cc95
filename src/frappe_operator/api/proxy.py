"""Limits of requests to sites: types of both kinds."""

from typing import Annotated

from msgspec import Meta

from frappe_operator.api.types import IS_QUANTITY, Rule, Section, compares, quantity_rules

BodySize = Annotated[
    int | str,
    quantity_rules(
        IS_QUANTITY,
        Rule(
            f"{compares('self', '>=', '64Ki')} && {compares('self', '<=', '10Gi')}",
            "must be between 64Ki and 10Gi: write the size with a unit, such as 100Mi",
        ),
    ),
]


class Proxy(Section):
    """Limits of requests, on every hop from the Ingress to the web pods."""

    body_size: Annotated[
        BodySize | None,
        Meta(
            description="Largest body of a request, such as an upload. Larger ones get the status 413. Frappe has the "
            "same limit (max_file_size), except for uploads where Max File Size is set in the System Settings of the "
            "site. Default 50Mi.",
            examples=["200Mi"],
        ),
    ] = None
    read_timeout: Annotated[
        Annotated[int, Meta(ge=10, le=3600)] | None,
        Meta(
            description="Seconds until a request that has not been answered gets the status 504. Default 120.",
            examples=[300],
        ),
    ] = None
