"""The status of a FrappeBench."""

from typing import Annotated

from msgspec import Meta

from frappe_operator.api.types import (
    Section,
)


class ReleaseLayerStatus(Section):
    """An app layer that sites mount together with the image."""

    app: Annotated[str, Meta(description="The app.")]
    key: Annotated[str, Meta(description="Fingerprint of the inputs, and name of the folder of the layer.")]
    url: Annotated[str, Meta(description="Repository.")]
    ref: Annotated[str, Meta(description="Branch, tag or commit that was requested; HEAD: the default branch.")]
    commit: Annotated[str, Meta(description="Commit that was fetched.")]
    version: Annotated[str | None, Meta(description="Version of the app. Absent if it declares none.")] = None
    image_key: Annotated[str | None, Meta(description="Fingerprint of the image for which it was built.")] = None
    request: Annotated[
        str | None, Meta(description="Value of the annotation vyogo.tech/build-apps that requested the build.")
    ] = None


class ImageStatus(Section):
    """What the inspection of the image found."""

    reference: Annotated[str | None, Meta(description="Image that was inspected.")] = None
    digest: Annotated[
        str | None,
        Meta(
            description="Digest of that image. Pods run it until the spec names another image or the annotation "
            "vyogo.tech/inspect-image of the bench changes. Absent if the node did not report it."
        ),
    ] = None
    frappe_version: Annotated[str | None, Meta(description="Version of Frappe in the image.")] = None
    python: Annotated[str | None, Meta(description="Version of Python in the image.")] = None
    apps: Annotated[dict[str, str] | None, Meta(description="Apps in the image, with their versions.")] = None
    assets_size: Annotated[
        str | None,
        Meta(
            description="Size of the built assets on the common storage: of this image, the one before, and every one "
            "that a site still ran when this one was inspected. All others were removed then."
        ),
    ] = None
    request: Annotated[
        str | None,
        Meta(description="Value of the annotation vyogo.tech/inspect-image that requested the inspection."),
    ] = None
    image_apps: Annotated[
        dict[str, str] | None, Meta(description="Apps in the image without app layers. Absent if there are none.")
    ] = None
    layers: Annotated[
        list[ReleaseLayerStatus] | None,
        Meta(description="App layers that sites mount together with the image. `apps` contains their apps."),
    ] = None


class UpgradeStatus(Section):
    """The sites on their way to the image of the bench. Absent when all of them run it and none removes apps."""

    image: Annotated[str | None, Meta(description="Image that the sites upgrade to.")] = None
    total: Annotated[int | None, Meta(description="Number of sites on the bench.")] = None
    done: Annotated[int | None, Meta(description="Number of sites that run the image.")] = None
    upgrading: Annotated[list[str] | None, Meta(description="Sites that are being upgraded.")] = None
    next: Annotated[list[str] | None, Meta(description="Sites that follow, in this order: the first ten of them.")] = (
        None
    )
    waiting: Annotated[int | None, Meta(description="Number of sites that follow.")] = None
    failed: Annotated[list[str] | None, Meta(description="Sites whose upgrade failed: at most a hundred.")] = None
    removing: Annotated[
        list[str] | None, Meta(description="Sites from which apps are being removed. Absent if there are none.")
    ] = None


class LayerStatus(Section):
    """An app that was fetched and built into a layer on the common storage."""

    app: Annotated[str, Meta(description="The app.")]
    key: Annotated[str, Meta(description="Fingerprint of the inputs, and name of the folder of the layer.")]
    url: Annotated[str, Meta(description="Repository.")]
    ref: Annotated[str, Meta(description="Branch, tag or commit that was requested; HEAD: the default branch.")]
    commit: Annotated[str, Meta(description="Commit that was fetched.")]
    size: Annotated[str, Meta(description="Size on the common storage.")]
    current: Annotated[bool, Meta(description="Whether the apps of the spec need the layer now. The others are kept.")]
    version: Annotated[str | None, Meta(description="Version of the app. Absent if it declares none.")] = None
    note: Annotated[str | None, Meta(description="What the layer lacks. Absent if it is complete.")] = None


class SecretRevisionsStatus(Section):
    """Revisions of the Secrets that servers read when they start."""

    redis: Annotated[
        str | None, Meta(description="Revision of <bench>-redis that Redis and the pods of the sites run with.")
    ] = None
    mariadb: Annotated[str | None, Meta(description="Revision of <bench>-mariadb-root that MariaDB runs with.")] = None


class DetectedAddressStatus(Section):
    """The address of a load balancer. It stays while the load balancer has none."""

    service: Annotated[str, Meta(description="Service that it was read from, as namespace/name.")]
    address: Annotated[str, Meta(description="IP address or host name.")]


class TemplateStatus(Section):
    """A template that new sites are copied from."""

    key: Annotated[str | None, Meta(description="Fingerprint of image and apps, in the name of the Job.")] = None
    image: Annotated[str | None, Meta(description="Image that the template was made with.")] = None
    apps: Annotated[list[str] | None, Meta(description="Apps of the template, in the order of installation.")] = None
    state: Annotated[
        str | None,
        Meta(description="Pending, Making, Ready or Failed. Sites are created without a template until it is Ready."),
    ] = None
    message: Annotated[str | None, Meta(description="What the template waits for, or why there is none.")] = None


class FrappeBenchStatus(Section):
    """Observed state of the bench."""

    image: Annotated[ImageStatus | None, Meta(description="What the inspection of the image found.")] = None
    earlier_images: Annotated[
        list[ImageStatus] | None,
        Meta(
            description="Earlier images that some site still runs, or ran before the image of the bench. Their assets "
            "are served."
        ),
    ] = None
    upgrade: Annotated[
        UpgradeStatus | None, Meta(description="The sites on their way to the image; absent when all run it.")
    ] = None
    sites: Annotated[int | None, Meta(description="Number of FrappeSites on the bench.")] = None
    installed_apps: Annotated[list[str] | None, Meta(description="Apps that sites can install.")] = None
    templates: Annotated[list[TemplateStatus] | None, Meta(description="Templates that new sites are copied from.")] = (
        None
    )
    layers: Annotated[
        list[LayerStatus] | None, Meta(description="Apps that were built into layers, the latest last.")
    ] = None
    detected_address: Annotated[
        DetectedAddressStatus | None,
        Meta(description="Address of the load balancer that domainConfig.autoDetect has found last."),
    ] = None
    secret_revisions: Annotated[
        SecretRevisionsStatus | None,
        Meta(
            description="Which revisions of its generated Secrets the bench runs with: fingerprints of their UID and "
            "version, of nothing that is in them."
        ),
    ] = None
