"""The kubelet and kube-proxy: what makes a node of containers and a network."""

from ipaddress import IPv4Address

import yaml

from sandbox.binaries import Binaries
from sandbox.containerd import SOCKET
from sandbox.control_plane import ControlPlane, KubectlError
from sandbox.dns import DOMAIN
from sandbox.enclosure import INSIDE, Enclosure
from sandbox.processes import Process
from sandbox.state import State

NAME = "sandbox"
"""The node's name."""

_START = 60.0


class Kubelet:
    """The kubelet and kube-proxy of one cluster's node."""

    def __init__(self, state: State, binaries: Binaries, control: ControlPlane, enclosure: Enclosure) -> None:
        """`binaries` holds kubelet and kube-proxy."""
        self._state = state
        self._binaries = binaries
        self._control = control
        self._enclosure = enclosure
        self._process = Process(state, "kubelet")
        self._proxy = Process(state, "kube-proxy")

    def start(self, address: IPv4Address, control_group: str) -> None:
        """Start the kubelet at `address`; its pods' control groups go below `control_group`. containerd answers."""
        folder = self._enclosure.folder
        (folder / "resolv.conf").write_text(f"nameserver {self._state.addresses.dns_service}\n")
        (folder / "kubelet.yaml").write_text(yaml.safe_dump(self._configuration(address, control_group)))
        kubeconfig = self._control.kubeconfig_for(f"system:node:{NAME}", ("system:nodes",))
        self._process.start(
            self._enclosure.inside(
                self._binaries["kubelet"],
                f"--config={INSIDE}/kubelet.yaml",
                f"--kubeconfig={kubeconfig}",
                f"--root-dir={INSIDE}/kubelet",
                f"--hostname-override={NAME}",
                f"--node-ip={address}",
            )
        )

    def start_proxy(self, address: IPv4Address) -> None:
        """Start kube-proxy, through which Services lead to pods."""
        self._proxy.start(
            self._enclosure.inside(
                self._binaries["kube-proxy"],
                f"--kubeconfig={self._control.kubeconfig_for('system:kube-proxy')}",
                "--proxy-mode=iptables",
                f"--cluster-cidr={self._state.addresses.pods}",
                f"--hostname-override={NAME}",
                f"--bind-address={address}",
                f"--healthz-bind-address={address}:10256",
                "--iptables-min-sync-period=100ms",
                # These are settings of the machine, which are not ours to change.
                *("--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0s"),
                "--conntrack-tcp-timeout-close-wait=0s",
                "--oom-score-adj=0",
            )
        )

    def wait(self) -> None:
        """Return once pods can run here. Raises `ProcessError` if that does not come true."""
        self._process.wait_until(self._ready, _START, "the node to be ready")

    def _ready(self) -> bool:
        path = "{.items[*].status.conditions[?(@.type=='Ready')].status}"
        try:
            return self._control.kubectl("get", "nodes", "-o", f"jsonpath={path}").strip() == "True"
        except KubectlError:
            # On a machine with too much to do the API server may not answer once; there is time to ask again.
            return False

    def _configuration(self, address: IPv4Address, control_group: str) -> dict[str, object]:
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": str(address),
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(self._control.authority.certificate)},
            },
            "authorization": {"mode": "Webhook"},
            "containerRuntimeEndpoint": f"unix://{SOCKET}",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{control_group}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "oomScoreAdj": 0,
            "clusterDNS": [str(self._state.addresses.dns_service)],
            "clusterDomain": DOMAIN,
            "resolvConf": f"{INSIDE}/resolv.conf",
            "podLogsDir": f"{INSIDE}/pod-logs",
            "volumePluginDir": f"{INSIDE}/volume-plugins",
            "maxPods": 250,
            # What tests and people wait for: ConfigMaps and Secrets in pods, and the node's own word.
            "configMapAndSecretChangeDetectionStrategy": "Watch",
            "syncFrequency": "10s",
            "nodeStatusUpdateFrequency": "5s",
            "serializeImagePulls": False,
            "registryPullQPS": 0,
            "eventRecordQPS": 0,
            "kubeAPIQPS": 100,
            "kubeAPIBurst": 200,
            # The machine's disk may be nearly full of other things; images that were loaded cannot be fetched again.
            "imageGCHighThresholdPercent": 100,
            "evictionHard": {
                "memory.available": "50Mi",
                "nodefs.available": "1%",
                "nodefs.inodesFree": "1%",
                "imagefs.available": "1%",
            },
        }
