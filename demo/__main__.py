"""`make demo`: starts a cluster, the operator, a bench and a site, and prints the site's answer. Ctrl-C removes all."""

import contextlib
import os
import re
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

from demo import STAGES, objects
from demo.objects import HOST, NAMESPACE, SITE
from demo.story import follow
from demo.visit import over_https, through_the_proxy
from sandbox import images
from sandbox.addons.contour import IngressController
from sandbox.certificates import tls_secret
from sandbox.cluster import Cluster, Tier, default_tier
from sandbox.installation import Kubectl, Operator
from sandbox.progress import Progress, shown
from sandbox.state import State


class Place(NamedTuple):
    """Where the demo takes place."""

    kubectl: Kubectl
    pods: bool
    """Whether pods really run."""
    image: str
    """The image of Frappe, in words."""
    controller: IngressController | None = None
    """The ingress controller of the demo's own cluster; None on one of somebody else, or where pods are simulated."""


def main() -> int:
    """Runs the demo. Exit code 0: the site answered."""
    stay = sys.stdin.isatty() and sys.stdout.isatty() and not os.environ.get("CI")
    # A demo that is ended from outside takes everything down as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with contextlib.ExitStack() as stack:
        with shown() as progress:
            place = stack.enter_context(_place(progress))
            operator = Operator(place.kubectl, State(folder()))
            with progress.step("Installing and starting the operator"):
                operator.install()
                operator.start()
            stack.callback(operator.stop)
            stack.enter_context(_declared(place))
            follow(place.kubectl, operator, progress, "Ready" if place.pods else "WorkloadsReady")
        if place.pods:
            stack.enter_context(_answers(place))
        _tell(place)
        if stay:
            print("\nPress Ctrl-C to remove everything.", flush=True)
            with contextlib.suppress(KeyboardInterrupt):
                signal.pause()
    return 0


def folder() -> Path:
    """Always the same one: the next demo finds, and clears away, what a killed one has left."""
    states = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return states / "frappe-operator-demo"


@contextlib.contextmanager
def _place(progress: Progress) -> Iterator[Place]:
    """The cluster of `KUBECONFIG`, else one of our own: with a real node where that is possible."""
    if given := os.environ.get("KUBECONFIG"):
        program = shutil.which("kubectl")
        if program is None:
            sys.exit("KUBECONFIG is set, but kubectl is not in PATH: install kubectl, or unset KUBECONFIG")
        yield Place(Kubectl(program, Path(given)), True, "frappe/erpnext:version-15, as pulled by your cluster")
        return
    tier = cast("Tier", os.environ.get("TIER")) or default_tier()
    cluster = Cluster(folder(), progress)
    if cluster.up_as:
        sys.exit(f"a demo is already running; to use it: export KUBECONFIG={cluster.kubeconfig}")
    try:
        if tier != "node":
            cluster.up(tier, STAGES if tier == "simulated" else ())
            yield Place(Kubectl.of(cluster), False, "none, because pods are simulated")
            return
        cluster.up(tier, addons=["contour"])
        image = _images(cluster, progress)
        yield Place(Kubectl.of(cluster), True, image, IngressController.of(cluster.state))
    finally:
        with progress.step("Removing the cluster"):
            cluster.down()


def _images(cluster: Cluster, progress: Progress) -> str:
    """Brings the images to the node, and says which they are."""
    with progress.step("Loading images"):
        if images.official_available(cluster.node.pull):
            return f"the official image {images.OFFICIAL}"
        for tar in images.build(progress):
            cluster.node.load_image(tar)
    return "a stand-in for Frappe 15, built on this machine; MariaDB, Redis and nginx are the real programs"


@contextlib.contextmanager
def _declared(place: Place) -> Iterator[None]:
    """The demo's objects; on somebody's own cluster they are taken away again."""
    kubectl, controller = place.kubectl, place.controller
    kubectl.apply(objects.NAMESPACE_OBJECT)
    bench: dict[str, Any] = {}
    site: dict[str, Any] = {"deletionPolicy": "Delete"}
    if controller:
        kubectl.apply(tls_secret(objects.CERTIFICATE, controller.authority.tls_pair(HOST), NAMESPACE))
        bench["ingress"], site["tls"] = {"className": controller.ingress_class}, {"secretName": objects.CERTIFICATE}
    kubectl.apply(objects.bench(**bench), objects.site(**site))
    try:
        yield
    finally:
        if os.environ.get("KUBECONFIG"):
            kubectl("delete", "frappesite,frappebench", "--all", f"--namespace={NAMESPACE}")
            kubectl("delete", "namespace", NAMESPACE, "--wait=false")


@contextlib.contextmanager
def _answers(place: Place) -> Iterator[None]:
    """Asks the site for a page and an asset, and prints what it says."""
    visit = over_https(place.controller) if place.controller else through_the_proxy(place.kubectl)
    with visit as visitor:
        asset = re.search(r'"(/assets/[^"]+\.(?:js|css))"', visitor.get("/login"))
        if asset is None:
            raise SystemExit("the login page refers to no asset")
        for path in ("/api/method/ping", asset[1]):
            print(f"\n$ curl {visitor.options}{visitor.url}{path}\n{visitor.get(path)[:200].strip()}")
        print(f"\nSite: {visitor.url}/ (log in as Administrator)")
        if place.controller:
            authority = place.controller.authority.certificate
            print(f"Your browser does not know who has signed its certificate: {authority}")
        yield


def _tell(place: Place) -> None:
    get = f"kubectl get secret {SITE}-admin --namespace={NAMESPACE}"
    print(f"\nFrappe image: {place.image}.")
    if not place.pods:
        print("Pods, files, databases and the site's answer are not shown: they need a real node (root on Linux).")
    print(f"Password: {get} -o jsonpath='{{.data.password}}' | base64 -d")
    print(f"export KUBECONFIG={place.kubectl.kubeconfig}")
    print(place.kubectl("get", "frappebench,frappesite", f"--namespace={NAMESPACE}"), flush=True)


if __name__ == "__main__":
    sys.exit(main())
