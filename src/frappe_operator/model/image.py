"""The image of a bench: its name, what the operator found in it, and whether the sites may run it."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from frappe_operator.api.labels import CONFIRM_ANNOTATION
from frappe_operator.kube.names import digest
from frappe_operator.model.layer import Layer, layer_keys
from frappe_operator.model.reasons import FrappeReason

FACTS, REFUSED, INSPECTED = "facts", "refused", "inspected"
"""Keys of the ConfigMap `<bench>-image`: the release that new sites run and existing ones upgrade to, one that they
must not run, and an image whose app layers are not built yet."""
EARLIER = "release-"
"""Prefix of further keys of that ConfigMap: an earlier image that some site still runs, by its key."""


class Image(Struct, frozen=True):
    """A container image with Frappe, and how it is pulled."""

    reference: str
    pull_policy: str = "IfNotPresent"
    pull_secrets: tuple[str, ...] = ()
    request: str = ""
    """Value of the annotation that requests an inspection. A new value stands for a new image of the same name."""

    @property
    def key(self) -> str:
        """Fingerprint of the image, for names in which its reference is not valid."""
        return _image_key(self.reference, self.request)


class Facts(Struct, frozen=True, rename="camel"):
    """The inspection result of an image: what one run of it found."""

    reference: str
    """The image as declared in the spec. Pods run `pinned`."""
    frappe_version: str
    python: str
    apps: dict[str, str]
    previous_key: str = ""
    """Key of the previous image, whose assets are still served; empty without a previous image."""
    digest: str = ""
    """Digest of the inspected image; empty when the node reports none, or an earlier operator inspected the image."""
    request: str = ""
    """Value of the annotation that requested the inspection."""
    layers: tuple[Layer, ...] = ()
    """The app layers of the release: `apps` contains their apps as well."""
    image_apps: dict[str, str] | None = None
    """The apps in the image alone; None without layers."""
    assets_size: str = ""
    """Size of the published assets, of this image and of the earlier ones that were kept when it was inspected; empty
    when an earlier operator inspected it."""

    @property
    def image_key(self) -> str:
        """Fingerprint of the image, equal to `Image.key`."""
        return _image_key(self.reference, self.request)

    @property
    def key(self) -> str:
        """Fingerprint of the release: of image and layers."""
        return digest(f"{self.image_key}\n{layer_keys(self.layers)}", 12) if self.layers else self.image_key

    @property
    def base(self) -> "Facts":
        """The image alone, without layers."""
        apps = self.apps if self.image_apps is None else self.image_apps
        return msgspec.structs.replace(self, apps=apps, layers=(), image_apps=None)

    def with_layers(self, layers: tuple[Layer, ...]) -> "Facts":
        """The release of this image with layers, whose apps replace those of the image."""
        base = self.base
        if not layers:
            return base
        apps = {**base.apps, **{layer.app: layer.version for layer in layers}}
        return msgspec.structs.replace(base, apps=apps, layers=layers, image_apps=base.apps)

    @property
    def pinned(self) -> str:
        """Reference of the inspected image, by digest if known, so that a moved tag does not change what pods run."""
        return f"{self.reference}@{self.digest}" if self.digest and "@" not in self.reference else self.reference

    @property
    def title(self) -> str:
        """The release as shown to users: the image, and the apps of its layers."""
        apps = ", ".join(f"{layer.app} {layer.version or layer.ref}" for layer in self.layers)
        return f"{self.pinned} with {apps}" if apps else self.pinned

    def describes(self, image: "Image") -> bool:
        """Whether this is the inspection result of `image`, for its current request."""
        return self.reference == image.reference and self.request == image.request

    def is_called(self, name: str) -> bool:
        """Whether `name` is the reference of the image, its tag, its digest, or its version of Frappe."""
        names = (self.reference, self.pinned, self.digest, self.reference.rpartition(":")[2], self.frappe_version)
        return name in names

    @property
    def versions(self) -> dict[str, str]:
        """Version of each app, including frappe."""
        return {**self.apps, "frappe": self.frappe_version}

    @property
    def major(self) -> int:
        """Major version of Frappe."""
        return major(self.frappe_version)


def _image_key(reference: str, request: str) -> str:
    return digest(f"{reference}\n{request}" if request else reference, 12)


def facts_from(data: Mapping[str, Any], key: str = FACTS) -> Facts | None:
    """An inspection result from the data of the ConfigMap `<bench>-image`; None when it is missing or invalid."""
    try:
        return msgspec.json.decode(data.get(key, ""), type=Facts)
    except msgspec.MsgspecError:
        return None


def earlier_from(data: Mapping[str, Any]) -> dict[str, Facts]:
    """The inspection results of earlier images that some site still runs, by the key of the image."""
    found = (facts_from(data, name) for name in sorted(data) if name.startswith(EARLIER))
    return {facts.key: facts for facts in found if facts is not None}


class Use(NamedTuple):
    """One version of an app that some site has installed or declares."""

    app: str
    version: str
    """The version in the image that the site runs; empty when it does not contain the app."""
    site: str


def refusal(found: Facts | None, uses: Iterable[Use]) -> tuple[str, str] | None:
    """Reason and message why the sites of a bench must not upgrade to the image of `found`; None when they may."""
    if found is None:
        return None
    stay = "Nothing is changed, and the sites run on"
    for app, now, site in uses:
        then = found.versions.get(app)
        if not now:
            continue
        if then is None:
            return (
                FrappeReason.APP_NOT_IN_IMAGE,
                f"{app} is not in image {found.reference}, but FrappeSite {site} uses it. {stay}: use an image "
                f"that contains it (imageConfig), or remove {app} from its sites first: take it from their apps, and "
                f"set their annotation {CONFIRM_ANNOTATION}={app}",
            )
        if older(then, now):
            return (
                FrappeReason.VERSION_NOT_SUPPORTED,
                f"Image {found.reference} contains {app} {then}, but the data of FrappeSite {site} is of {app} {now}, "
                f"which cannot be downgraded. {stay}: use an image with {app} {now} or newer "
                f"(imageConfig, frappeVersion), or restore a backup that was taken with {then} into a new site on "
                "another bench",
            )
        if app == "frappe" and found.major > major(now) + 1:
            return (
                FrappeReason.VERSION_NOT_SUPPORTED,
                f"Image {found.reference} contains Frappe {then}, but FrappeSite {site} runs Frappe {now}, and a site "
                f"is upgraded one major version at a time. {stay}: upgrade to Frappe {major(now) + 1} first",
            )
    return None


def major(version: str) -> int:
    """The major version in a version of Frappe: 15 in `15.101.1`."""
    return int(version.split(".")[0].removeprefix("v"))


def older(version: str, than: str) -> bool:
    """Whether a release precedes another: 15.51.1 precedes 15.102.0, and 16.0.0-dev precedes 16.0.0. A version that
    cannot be compared, such as `15.x.x-develop`, is not older."""
    (numbers, rest), (others, other_rest) = _version(version), _version(than)
    if numbers != others:
        common = min(len(numbers), len(others))
        return numbers[:common] < others[:common]
    return bool(rest) and not other_rest


def _version(text: str) -> tuple[tuple[int, ...], str]:
    """The leading numbers of a version, and the remaining text."""
    match = re.match(r"v?(\d{1,9}(?:\.\d{1,9})*)", text)
    return (tuple(map(int, match[1].split("."))), text[match.end() :]) if match else ((), text)


def image_digest(reference: str, image_id: str) -> str:
    """The digest in the `imageID` of a container whose image was pulled as `reference`.

    Empty when `imageID` has no digest of the same repository: for an image that was loaded by hand, the node reports
    only its local ID.
    """
    repository, at, found = image_id.removeprefix("docker-pullable://").partition("@")
    declared = re.sub(r":[^/:]*$", "", reference.partition("@")[0])
    same = at and _full_repository(repository) == _full_repository(declared)
    return found if same and re.fullmatch("sha256:[0-9a-f]{64}", found) else ""


def _full_repository(repository: str) -> str:
    """A repository with its registry, docker.io by default."""
    first, slash, _ = repository.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first):
        return repository
    return f"docker.io/{repository}" if slash else f"docker.io/library/{repository}"
