"""What the person who installs the operator decides for all benches."""

from msgspec import Struct


class Images(Struct, frozen=True):
    """Images of the programs that are not Frappe; a bench may name others."""

    frappe: str = "docker.io/frappe/erpnext"
    mariadb: str = "docker.io/library/mariadb:10.11"
    redis: str = "docker.io/library/redis:7.2"
    nginx: str = "docker.io/nginxinc/nginx-unprivileged:1.27"
