"""The controllers of the cluster itself: what kube-controller-manager, the scheduler and the kubelet do."""
