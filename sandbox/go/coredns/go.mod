// The cluster DNS of the sandbox's node: CoreDNS with only the plugins the sandbox names in main.go.
module frappe-operator/sandbox/coredns

go 1.26.0

require github.com/coredns/coredns v1.15.0
