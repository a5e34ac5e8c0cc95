"""The operator against an API server and a cluster that live in memory, under virtual time.

- `api` (its parts: `store`, `fields`, `ownership`, `filling`, `rules`, `selectors`, `refusals`): what reading and
  writing objects does. `apiserver`: the same at the end of the kernel's Transport, with pages and watches.
- `simulator` and `controllers` (`workloads`, `jobs`, `kubelet`, `volumes`, `garbage`): the cluster's own controllers,
  one small action at a time. `frappe`: what the programs in the pods do, and what answers over HTTP.
- `clock`, `faults`, `harness`: time that passes at once, what goes wrong, and a `World` to write sentences about.

`test_apiserver` runs every test against the real API server as well; `test_faithful` compares object by object.
"""
