"""The image of a bench: its name, what the operator found in it, and whether the sites may run it."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from frappe_operator.kube.names import digest
from frappe_operator.model.reasons import FrappeReason

FACTS, REFUSED = "facts", "refused"


class Image(Struct, frozen=True):
    """An image of Frappe."""

    reference: str
    pull_policy: str = "IfNotPresent"
    pull_secrets: tuple[str, ...] = ()
    request: str = ""
    """The request to inspect it (INSPECT_ANNOTATION): another one is another image, though its name is the same."""

    @property
    def key(self) -> str:
        """Names the image where its reference cannot stand."""
        return _image_key(self.reference, self.request)


class Facts(Struct, frozen=True, rename="camel"):
    """What was found in an image by running it once."""

    reference: str
    """The image as the spec names it. What pods run is `pinned`."""
    frappe_version: str
    python: str
    apps: dict[str, str]
    previous_key: str = ""
    """Key of the image before, whose assets are still served."""
    digest: str = ""
    """Of the image that was inspected; empty when its node did not tell, or an earlier operator did not ask."""
    request: str = ""

    @property
    def key(self) -> str:
        return _image_key(self.reference, self.request)

    @property
    def pinned(self) -> str:
        """The very image that was inspected, whatever becomes of its tag."""
        return f"{self.reference}@{self.digest}" if self.digest and "@" not in self.reference else self.reference

    def answer(self, image: "Image") -> bool:
        """Whether this is what was found in `image`, as it is asked for."""
        return self.reference == image.reference and self.request == image.request

    @property
    def versions(self) -> dict[str, str]:
        """By app, frappe included."""
        return {**self.apps, "frappe": self.frappe_version}

    @property
    def major(self) -> int:
        """Frappe's major version."""
        return int(self.frappe_version.split(".")[0])


def _image_key(reference: str, request: str) -> str:
    return digest(f"{reference}\n{request}" if request else reference, 12)


def facts_from(data: Mapping[str, Any], key: str = FACTS) -> Facts | None:
    """Facts as the ConfigMap `<bench>-image` keeps them, None when it holds none."""
    try:
        return msgspec.json.decode(data.get(key, ""), type=Facts)
    except msgspec.MsgspecError:
        return None


def refusal(facts: Facts | None, found: Facts | None, used: Mapping[str, str]) -> tuple[str, str] | None:
    """Why sites that run the image of `facts` must not be given the one of `found`; None when they may.

    `used`: by app that a site has installed or asks for, the name of such a site.
    """
    if facts is None or found is None:
        return None
    stay = f"The sites keep running {facts.pinned}"
    for app, site in used.items():
        now, then = facts.versions.get(app), found.versions.get(app)
        if now is None:
            continue
        if then is None:
            return (
                FrappeReason.APP_NOT_IN_IMAGE,
                f"{app} is not in image {found.reference}, but FrappeSite {site} uses it. {stay}: use an image "
                "that contains it (imageConfig)",
            )
        if older(then, now):
            return (
                FrappeReason.VERSION_NOT_SUPPORTED,
                f"Image {found.reference} contains {app} {then}, but the data of FrappeSite {site} is of {app} {now}, "
                f"which cannot be downgraded. {stay}: use an image with {app} {now} or newer "
                f"(imageConfig, frappeVersion), or restore a backup that was taken with {then} into a new site on "
                "another bench",
            )
    return None


def older(version: str, than: str) -> bool:
    """Whether a release comes before another: 15.51.1 before 15.102.0, 16.0.0-dev before 16.0.0. What cannot be told,
    as of `15.x.x-develop`, is not older."""
    (numbers, rest), (others, other_rest) = _version(version), _version(than)
    if numbers != others:
        common = min(len(numbers), len(others))
        return numbers[:common] < others[:common]
    return bool(rest) and not other_rest


def _version(text: str) -> tuple[tuple[int, ...], str]:
    """The numbers a version begins with, and the rest."""
    match = re.match(r"v?(\d{1,9}(?:\.\d{1,9})*)", text)
    return (tuple(map(int, match[1].split("."))), text[match.end() :]) if match else ((), text)


def image_digest(reference: str, image_id: str) -> str:
    """The digest by which an image that was pulled as `reference` can be pulled again, from a container's `imageID`.

    Empty when that names no digest of the same repository: of an image that was loaded by hand, the node knows only
    its own number.
    """
    repository, at, found = image_id.removeprefix("docker-pullable://").partition("@")
    asked = re.sub(r":[^/:]*$", "", reference.partition("@")[0])
    same = at and _whole(repository) == _whole(asked)
    return found if same and re.fullmatch("sha256:[0-9a-f]{64}", found) else ""


def _whole(repository: str) -> str:
    """A repository with the registry it is in when it names none."""
    first, slash, _ = repository.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first):
        return repository
    return f"docker.io/{repository}" if slash else f"docker.io/library/{repository}"
