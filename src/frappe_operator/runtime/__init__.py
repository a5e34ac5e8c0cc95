"""Reads, caches and writes the objects of a cluster, and reconciles them. Knows Kubernetes and nothing about Frappe.

`client`: requests to the API server. `cache`: the cached objects. `drift`: comparison of a child with its manifest.
`cluster`: what a reconcile reads and writes with. `apply`: the children. `status`: conditions and Events.
`controller`: what a kind declares. `queue`: which key is reconciled next. `process`: all of it as a program.
"""
