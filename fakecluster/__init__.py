"""A Kubernetes cluster in memory, under virtual time: for the tests and the benchmark. No part of what is shipped.

- `apiserver`: one implementation of what reading, writing and watching objects does (storage, server-side apply and
  managedFields, defaulting, validation, selectors, errors).
- `controllers`: the cluster's own controllers and the kubelet, one small action at a time.
- `frappe`: what the programs in the pods do, and what answers over HTTP.
- `faults`: a plan of faults; `faulty_transport`: lets them happen between the operator and the API server.
- `virtual_time`: time that passes at once. `comparison`: what two runs are compared by.
- `world`: a `World` is all of these with the operator running in it; `samples`: a bench and a site to begin with.

`tests/world/test_apiserver_*.py` runs every test of the API server against the real one as well;
`tests/world/test_fake_matches_real_server.py` compares the objects of a whole run one by one.
"""
