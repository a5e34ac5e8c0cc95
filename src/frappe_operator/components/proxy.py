"""The proxy of a bench: it serves published assets and routes each host to the web Service of its site."""

import base64
import hashlib
from collections.abc import Iterable

from frappe_operator.components import nginx, pages, scaling
from frappe_operator.components.metadata import metadata, selector
from frappe_operator.components.pod import (
    PROXY,
    affinity,
    mount,
    pull_secrets,
    template,
)
from frappe_operator.components.service import service
from frappe_operator.components.storage import MOUNTS_COMMON, common_node
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.bench import Bench
from frappe_operator.model.host import is_wildcard, parent
from frappe_operator.model.layers import ASSETS, FOLDER
from frappe_operator.model.proxy import widest
from frappe_operator.model.site import SiteNames

PART = "nginx"
HOSTS = "hosts.map"
SITES = "sites.map"
UPGRADING = "upgrading.map"
HTTPS = "https.map"
REDIRECTS = "redirects.map"
HSTS = "hsts.map"
ANY_LABEL = "_"
"""Stands for the first label of a wildcard host in the maps."""
MARGIN_SECONDS = 5
"""How much longer the proxy waits than the front door of a site."""
REDIRECT_SECONDS = 300
"""How long browsers may remember a redirect: it is taken back when the spec changes."""
UPGRADING_PATH = "/-/upgrading"
"""Path at which a proxy answers for any host with ANNOUNCED if it has the maintenance page for it."""
ANNOUNCED = "upgrading"


def build(bench: Bench) -> list[Manifest]:
    """Deployment and Service of the proxy, with its autoscaler and disruption budget, without the ConfigMap (see
    `config`)."""
    owner, name = bench.owner, bench.names.nginx
    pod: Manifest = {
        "terminationGracePeriodSeconds": 60,
        **pull_secrets(bench.image.pull_secrets),
        **affinity(*common_node(bench)),
        "containers": [
            nginx.container(
                bench.nginx_image,
                "IfNotPresent",
                bench.nginx.resources,
                nginx.ready("/healthz"),
                mount("common", "/common", read_only=True),
            )
        ],
        "volumes": [
            *nginx.volumes(name, bench.names.proxy_word, nginx.WORD),
            {"name": "common", "persistentVolumeClaim": {"claimName": bench.names.common, "readOnly": True}},
        ],
    }
    return [
        service(owner, name, PART, {"name": "http", "port": nginx.PORT, "targetPort": "http"}),
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata(owner, name, PART, **bench.nginx_scale.metadata),
            "spec": {
                **bench.nginx_scale.spec,
                "selector": {"matchLabels": selector(owner, PART)},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
                "template": template(owner, PART, PROXY, pod, MOUNTS_COMMON, replicated=True),
            },
        },
        *scaling.build(owner, name, PART, bench.nginx),
    ]


def word(bench: Bench, token: str) -> list[Manifest]:
    """The Secret with the word that shows front doors that a request comes from this proxy, and with its digest.

    A front door gets the digest: it serves directories to which the code of its site can write, and one link there
    would publish the word.
    """
    meta = metadata(bench.owner, bench.names.proxy_word, PART)
    # nginx compares MD5 only. To find the word, or another one with its digest, is not possible for MD5 either.
    digest = base64.urlsafe_b64encode(hashlib.md5(token.encode(), usedforsecurity=False).digest()).decode().rstrip("=")
    data = {nginx.WORD: token, nginx.WORD_DIGEST: digest}
    return [{"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": data}]


def config(bench: Bench) -> list[Manifest]:
    """The ConfigMap with the map of hosts. A change restarts no pod, because nginx reloads it."""
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata(bench.owner, bench.names.nginx, PART),
            "data": {
                "nginx.conf": _conf(bench),
                HOSTS: _map((each.host, each.service) for each in bench.upstreams),
                SITES: _map((each.host, each.site) for each in bench.upstreams),
                UPGRADING: _map((host, ANNOUNCED) for host in _upgrading(bench)),
                REDIRECTS: _map((each.host, each.redirect) for each in bench.upstreams if each.redirect),
                HTTPS: _map((each.host, "https") for each in bench.upstreams if each.https),
                HSTS: _map((each.host, str(each.hsts_max_age)) for each in bench.upstreams if each.hsts_max_age),
            },
        }
    ]


def _map(entries: Iterable[tuple[str, str]]) -> str:
    return "".join(nginx.entry(_key(host), value) for host, value in entries)


def _key(host: str) -> str:
    """The key of a host in the maps. A wildcard host has a key that is itself a host inside it, and of no other host:
    it is not a valid one."""
    return f"{ANY_LABEL}.{parent(host)}" if is_wildcard(host) else host


def _upgrading(bench: Bench) -> list[str]:
    """Hosts of the sites whose turn it is to upgrade."""
    services = {SiteNames(name).gunicorn for name in (*bench.wave.upgrading, *bench.wave.removing)}
    return [each.host for each in bench.upstreams if each.service in services]


def _visitors(trusted: tuple[str, ...]) -> str:
    """Configuration of the address and scheme of visitors.

    Without trusted proxies, the visitor is the client that connects. X-Forwarded-Proto is trusted even then: it affects
    only links and cookies of that visitor, and an ingress that terminates TLS is often not declared as trusted.
    """
    if not trusted:
        return nginx.SCHEME
    networks = [nginx.word(network) for network in trusted]
    return f"""\
  # From the right, past those that are trusted, to the first that is not. Anybody may have written what is before.
  real_ip_header X-Forwarded-For;
  real_ip_recursive on;
  {" ".join(f"set_real_ip_from {network};" for network in networks)}
  geo $realip_remote_addr $trusted {{ default 0; {" ".join(f"{network} 1;" for network in networks)} }}
  map "$trusted $http_x_forwarded_proto" $forwarded_proto {{ default $scheme; '1 http' http; '1 https' https; }}
"""


def _conf(bench: Bench) -> str:
    root, published = "/common/assets", [f"/{key}/$asset" for key in bench.served_keys]
    if bench.layers:
        # Layers come first: an app in one replaces that of the image.
        layers = [f"/{FOLDER}/{layer.key}/{ASSETS}/$asset" for layer in reversed(bench.layers)]
        root, published = "/common", [*layers, *(f"/assets{path}" for path in published)]
    site = f"http://$frappe_service.{bench.owner.namespace}.svc.@CLUSTER_DOMAIN@:{nginx.PORT}"
    limits = widest([each.limits for each in bench.upstreams])
    redirect = f"if ($redirect) {{ add_header Cache-Control max-age={REDIRECT_SECONDS} always; return 308 $redirect; }}"
    return f"""\
{nginx.MAIN}
http {{
  # Before the first map: host names are long, and there may be thousands.
  map_hash_bucket_size 512;
  map_hash_max_size 65536;
{nginx.HTTP}
{_visitors(bench.trusted_proxies)}
  # `default` comes first: an entry that claims to be it as well is then the one that nginx refuses.
  map $host $around {{ default ''; "~^[^.]+(?<domain>\\..+)$" '{ANY_LABEL}$domain'; }}
  map $host $exact {{ default ''; include {HOSTS}; }}
  # The host whose entries are in effect: the one that is asked for, or the wildcard host around it.
  map $exact $entry {{ default $host; '' $around; }}
  map $entry $frappe_service {{ default ''; include {HOSTS}; }}
  map $entry $frappe_site {{ default '@UNKNOWN@'; include {SITES}; }}
  map $entry $upgrading {{ default ''; include {UPGRADING}; }}
  map $upgrading $unanswered {{ default '{pages.UPDATING}'; '' '{pages.DOWN}'; }}
  map $upgrading $late {{ default '{pages.UPDATING}'; '' '{pages.LATE}'; }}
  map $entry $primary_host {{ default ''; include {REDIRECTS}; }}
  map $entry $https_only {{ default ''; include {HTTPS}; }}
  map $entry $hsts_age {{ default ''; include {HSTS}; }}
  # Only a visitor who says to have come over http is sent elsewhere: clients within the cluster say nothing.
  map "$https_only $http_x_forwarded_proto" $insecure {{ default ''; 'https http' insecure; }}
  map $https_only $public_scheme {{ default https; '' $forwarded_proto; }}
  map $primary_host $public_host {{ default $primary_host; '' $host; }}
  map "$insecure$primary_host" $redirect {{ default $public_scheme://$public_host$request_uri; '' ''; }}
  map "$forwarded_proto $hsts_age" $hsts {{ default ''; "~^https (?<age>[0-9]+)$" 'max-age=$age'; }}
  map $frappe_service $known_site {{ default $frappe_site; '' '@UNKNOWN@'; }}

  server {{
    listen {nginx.PORT} default_server;
    proxy_http_version 1.1;
    proxy_request_buffering off;
    # A pod that has just ended may answer nothing at all, not even a refusal.
    proxy_connect_timeout 5s;
    # The front doors have the limits of their sites, and answer first.
    proxy_read_timeout {limits.read_seconds + MARGIN_SECONDS}s;
    client_max_body_size {limits.body_bytes};
    proxy_next_upstream off;
    # The site's own front door says which site it is; what a client claims about itself ends here.
    proxy_set_header X-Frappe-Site-Name '';
    proxy_set_header {nginx.WORD_HEADER} @WORD@;
    {nginx.request_headers(4)}
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $forwarded_proto;
    proxy_set_header X-Request-Id $request_name;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_upgrade;

    # Which site this proxy has for the host it is asked for.
    location = /healthz {{ access_log off; default_type text/plain; return 200 '$known_site\\n'; }}
    location = {UPGRADING_PATH} {{ access_log off; default_type text/plain; return 200 '$upgrading\\n'; }}
    location ^~ /-/ {{ return 404; }}
    # nginx's own answers when no web pod can be reached. The site's answers pass as they are.
    error_page 413 = @large;
    error_page 418 = @unknown;
    error_page 502 = @no_answer;
    error_page 504 = @late_answer;
    location ~ ^/assets/(?<asset>.+)$ {{
      if ($frappe_service = '') {{ return 418; }}
      {redirect}
      {nginx.headers(6)}
      add_header Strict-Transport-Security $hsts always;
      add_header Cache-Control $asset_caching;
      root {root};
      try_files {" ".join(published)} @site;
    }}
    location / {{
      if ($frappe_service = '') {{ return 418; }}
      {redirect}
      add_header Strict-Transport-Security $hsts always;
      proxy_pass {site};
    }}
    location @site {{ proxy_pass {site}; }}
    location @no_answer {{ {pages.COME_BACK} return 503 $unanswered; }}
    location @late_answer {{ {pages.COME_BACK} if ($upgrading) {{ return 503 $late; }} return 504 $late; }}
    location @large {{ {pages.AS_HTML} return 413 '{pages.TOO_LARGE}'; }}
    location @unknown {{ {pages.AS_HTML} return 404 '{pages.UNKNOWN}'; }}
  }}
}}
"""
