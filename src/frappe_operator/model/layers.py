"""App layers: apps that the image of a bench lacks, built once on the common storage.

A layer is content-addressed: its key is a fingerprint of all its inputs. What was built is recorded in the ConfigMap
`<bench>-apps`, in the order in which it was built.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from frappe_operator.api.frappebench import FrappeBenchSpec
from frappe_operator.kube.names import digest
from frappe_operator.model.apps import IMAGE, DeclaredApp, declared, repository
from frappe_operator.model.image import Facts
from frappe_operator.model.layer import Layer
from frappe_operator.model.reasons import FrappeReason
from frappe_operator.model.settings import Images

BUILD_ANNOTATION = "vyogo.tech/build-apps"
"""Annotation of a FrappeBench. A new value has the layers built again, because a branch may have moved."""
LAYERS = "layers"
"""Key of the ConfigMap `<bench>-apps`."""
FOLDER = "layers"
"""Folder of the common storage with one folder per layer, named by its key."""
PACKAGES = ".frappe-operator/packages"
"""Folder of a layer with the Python packages that the image lacks."""
ASSETS = ".frappe-operator/assets"
"""Folder of a layer with its public files, as they are served below /assets."""
KEPT_PER_APP = 2
"""How many built layers of an app are kept: the current one and the previous one."""


class Order(Struct, frozen=True):
    """A layer that the bench needs for its apps and its image."""

    app: str
    url: str
    branch: str
    version: str
    secret: str
    """Name of the Secret with the login to the repository; empty for a public one."""
    image_key: str
    request: str = ""

    @property
    def ref(self) -> str:
        """The branch, tag or commit, as shown to users."""
        return self.branch or self.version or "HEAD"

    @property
    def key(self) -> str:
        """Fingerprint of the inputs of the layer. The Secret is not among them: a new login changes no content."""
        inputs = (self.app, self.url, self.branch, self.version, self.image_key, self.request)
        return digest("\n".join(inputs), 16)


def orders(
    spec: FrappeBenchSpec, facts: Facts, images: Images, annotation: str = "", built: Sequence[Layer] = ()
) -> tuple[Order, ...]:
    """The layers that the bench needs, in the order of its apps. Raises Blocked when the list of apps is invalid.

    Apps with a problem (see `problem`) have none. `annotation`: the value of BUILD_ANNOTATION; without one, a layer
    keeps the request with which it was last built.
    """
    result = []
    for app in declared(spec):
        found = None if _trouble(app, spec, facts, images) else repository(app, facts.major)
        if found is None or not _needs_layer(app, facts):
            continue
        order = Order(app.name, found.url, found.branch, found.version, app.secret, facts.image_key)
        request = annotation or next((each.request for each in reversed(built) if _is_of(each, order)), "")
        result.append(msgspec.structs.replace(order, request=request))
    return tuple(result)


def _is_of(layer: Layer, order: Order) -> bool:
    return (layer.app, layer.url, layer.ref) == (order.app, order.url, order.ref)


def _needs_layer(app: DeclaredApp, facts: Facts) -> bool:
    return app.from_git or app.name not in facts.apps


def problem(spec: FrappeBenchSpec, facts: Facts, images: Images) -> tuple[str, str] | None:
    """Reason and message why an app of the bench cannot be provided; None when all can. Raises Blocked when the list
    of apps is invalid."""
    return next(filter(None, (_trouble(app, spec, facts, images) for app in declared(spec))), None)


def _trouble(app: DeclaredApp, spec: FrappeBenchSpec, facts: Facts, images: Images) -> tuple[str, str] | None:
    if not _needs_layer(app, facts):
        return None
    image = f"image {facts.reference}, which contains {', '.join(facts.apps)}"
    if app.source == IMAGE:
        return (
            FrappeReason.APP_NOT_IN_IMAGE,
            f"{app.name} is not in {image}: remove it from the spec, use an image that contains it (imageConfig), or "
            "set source: git",
        )
    if not images.git:
        return (
            FrappeReason.GIT_FORBIDDEN,
            f"{app.name} would be fetched with git, which is forbidden for this cluster by a setting of the operator "
            f"(--no-git): use an image that contains it (imageConfig) instead of {image}",
        )
    if spec.git_config and spec.git_config.enabled is False:
        return (
            FrappeReason.GIT_FORBIDDEN,
            f"{app.name} would be fetched with git, which gitConfig.enabled: false forbids for this bench: allow it, "
            f"or use an image that contains {app.name} (imageConfig) instead of {image}",
        )
    if repository(app, facts.major) is None:
        return (
            FrappeReason.APP_UNKNOWN,
            f"{app.name} is not in {image}, and is not an official app whose repository is known: set gitUrl of the "
            "app, or correct its name",
        )
    return None


def layers_from(data: Mapping[str, Any]) -> tuple[Layer, ...]:
    """The built layers from the data of the ConfigMap `<bench>-apps`; empty when it is missing or invalid."""
    try:
        return msgspec.json.decode(data.get(LAYERS, "[]"), type=tuple[Layer, ...])
    except (msgspec.MsgspecError, TypeError):
        return ()


def recorded(built: Sequence[Layer], found: Iterable[Layer]) -> tuple[Layer, ...]:
    """The built layers with newly found ones, the latest last."""
    fresh = {layer.key: layer for layer in found}
    known = [fresh.pop(layer.key, layer) for layer in built]
    return (*known, *fresh.values())


def missing(orders: Sequence[Order], built: Sequence[Layer]) -> tuple[Order, ...]:
    """The orders that are not built yet."""
    keys = {layer.key for layer in built}
    return tuple(order for order in orders if order.key not in keys)


def kept(built: Sequence[Layer], orders: Sequence[Order], used: Iterable[Layer]) -> tuple[Layer, ...]:
    """The layers that stay on the common storage: those that are ordered, those of the releases that sites run
    (`used`), and the latest KEPT_PER_APP of each of their apps."""
    in_use = list(used)
    wanted = {order.key for order in orders} | {layer.key for layer in in_use}
    apps = {order.app for order in orders} | {layer.app for layer in in_use}
    latest: dict[str, list[str]] = {app: [] for app in apps}
    for layer in reversed(built):
        if layer.app in latest:
            latest[layer.app].append(layer.key)
    for keys in latest.values():
        wanted.update(keys[:KEPT_PER_APP])
    return tuple(layer for layer in built if layer.key in wanted)


def release(base: Facts, orders: Sequence[Order], built: Sequence[Layer]) -> Facts | None:
    """The image of `base` with all layers that it needs; None while one is not built."""
    by_key = {layer.key: layer for layer in built}
    if any(order.key not in by_key for order in orders):
        return None
    return base.with_layers(tuple(by_key[order.key] for order in orders))
