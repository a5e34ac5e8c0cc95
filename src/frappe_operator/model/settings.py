"""Settings of the operator that apply to all benches."""

from msgspec import Struct


class Images(Struct, frozen=True):
    """Default images, which the spec of a bench may override, and whether apps may be fetched with git, which it may
    only forbid."""

    frappe: str = "docker.io/frappe/erpnext"
    mariadb: str = "docker.io/library/mariadb:10.11"
    redis: str = "docker.io/library/redis:7.2"
    nginx: str = "docker.io/nginxinc/nginx-unprivileged:1.27"
    git: bool = True
    """Whether benches may fetch apps with git."""
