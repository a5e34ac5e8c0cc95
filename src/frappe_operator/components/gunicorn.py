"""The web pods of a site: gunicorn on loopback, and nginx as front door for this one site."""

from frappe_operator.components import frappe, nginx, own_address, pages, realtime, scaling
from frappe_operator.components.metadata import metadata, selector
from frappe_operator.components.pod import FRAPPE, template
from frappe_operator.components.service import service
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.gunicorn import WebServer
from frappe_operator.model.site import Site

PART = "gunicorn"
LOOPBACK = "127.0.0.1:8000"
PATH_END = r"?#\x5c\x00-\x20\x7f"
"""Characters that end a path, or that a browser replaces or removes, as the content of a character class."""
NOT_PAGES = "api|app|backups|desk|files|private"
"""First segments of paths that are not pages, so that they are not redirected to a canonical address."""

LIVENESS_SCRIPT = """\
# The arbiter wakes once a second, whatever databases its workers wait for: one that does not is frozen. A frozen
# worker is the arbiter's business (--timeout).
wakes() { grep ^voluntary_ctxt_switches /proc/1/status; }
before=$(wakes) || exit 0
for second in 1 2 3 4 5 6 7 8 9 10; do
  sleep 1
  [ "$(wakes)" = "$before" ] || exit 0
done
echo "gunicorn has not woken for $second seconds"
exit 1
"""


def build(site: Site) -> list[Manifest]:
    """Deployment and the ConfigMap of the front door, with autoscaler and disruption budget."""
    owner, name, size, scale = site.owner, site.names.gunicorn, site.sizes["gunicorn"], site.scale("gunicorn")
    gunicorn = frappe.container(
        site,
        "gunicorn",
        command(site.web_server),
        size.resources,
        env=frappe.calling_environment(site),
        # The front door stops first, so that gunicorn still answers the requests that it has accepted.
        lifecycle={"preStop": {"exec": {"command": ["sleep", "6"]}}},
        livenessProbe={
            "exec": {"command": ["sh", "-c", LIVENESS_SCRIPT]},
            "initialDelaySeconds": 30,
            "periodSeconds": 30,
            "timeoutSeconds": 25,
            "failureThreshold": 5,
            # A frozen process does not handle SIGTERM.
            "terminationGracePeriodSeconds": 10,
        },
    )
    front_door = nginx.container(
        site.image.reference,
        site.image.pull_policy,
        site.front_door,
        nginx.ready("/-/alive"),
        *frappe.view_mounts(site),
    )
    front_door = realtime.front_door(site, front_door)
    volumes = nginx.volumes(site.names.front_door, site.bench.proxy_word, nginx.WORD_DIGEST)
    volumes += own_address.volumes(site)
    containers = [gunicorn, front_door, *own_address.containers(site)]
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata(owner, site.names.front_door, PART),
            "data": {"nginx.conf": conf(site), **own_address.conf(site)},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata(owner, name, PART, **scale.metadata),
            "spec": {
                **scale.spec,
                "selector": {"matchLabels": selector(owner, PART)},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
                "template": template(
                    owner,
                    PART,
                    FRAPPE,
                    frappe.pod(site, *containers, grace=60, more_volumes=volumes, calls_site=True),
                    more=frappe.pod_labels(site),
                    secret_revision=site.redis_revision,
                    replicated=True,
                ),
            },
        },
        *scaling.build(owner, name, PART, size),
    ]


def web_service(site: Site) -> list[Manifest]:
    """The Service of the web pods. It comes before them: the pods of the site resolve its hosts to its address."""
    return [
        service(
            site.owner,
            site.names.gunicorn,
            PART,
            {"name": "http", "port": nginx.PORT, "targetPort": "http"},
            {"name": "gunicorn", "port": 8000, "targetPort": "http"},
            *own_address.service_ports(site.own),
        )
    ]


def command(server: WebServer) -> list[str]:
    """The command line of gunicorn."""
    # Without the jitter, workers that take turns would reach the number at the same time.
    jitter = max(server.max_requests // 10, 1)
    renewed = [f"--max-requests={server.max_requests}", f"--max-requests-jitter={jitter}"]
    return [
        f"{frappe.BENCH_DIR}/env/bin/gunicorn",
        f"--chdir={frappe.SITES}",
        f"--bind={LOOPBACK}",
        f"--workers={server.workers}",
        f"--threads={server.threads}",
        "--worker-class=gthread",
        "--worker-tmp-dir=/dev/shm",
        f"--timeout={server.timeout}",
        "--graceful-timeout=30",
        *(renewed if server.max_requests else []),
        "--preload",
        "frappe.app:application",
    ]


def conf(site: Site) -> str:
    """The nginx.conf of the front door.

    The rule for attachments and the redirects of pages are those of the template of Frappe. `/-/alive` requests a site
    that cannot exist from gunicorn: every response shows that gunicorn works, whatever the state of the site.
    """
    name, public = nginx.word(site.site_name), f'"/{nginx.text(site.site_name)}/public$uri"'
    here = nginx.word(f"{frappe.SITES}/{site.site_name}/")
    host = nginx.word(f"{site.names.gunicorn}:{nginx.PORT}")
    return f"""\
{nginx.MAIN}{realtime.main(site)}
http {{
{nginx.HTTP}{realtime.http(site)}
  # The proxy of the bench says who the visitor is. What anybody else claims is not read: any pod can connect to here.
  secure_link @WORD@;
  secure_link_md5 $http_x_frappe_operator_proxy;
  map $secure_link $from_proxy {{ default 0; 1 1; }}
  map "$from_proxy $http_x_forwarded_proto" $forwarded_proto {{ default $scheme; '1 http' http; '1 https' https; }}
  map "$from_proxy $http_x_forwarded_for" $client {{ default $remote_addr; "~^1 (?<said>[0-9A-Fa-f.:]+)$" $said; }}
  # A browser's Origin must be the host it asks for. Programs send none, or write the port that a scheme has anyway.
  map "$http_origin|$http_host" $same_origin {{
    default 0;
    "~^\\|" 1;
    "~*^https?://([^|]+)\\|\\1$" 1;
    "~*^https://([^|:]+)(?::443)?\\|\\1(?::443)?$" 1;
    "~*^http://([^|:]+)(?::80)?\\|\\1(?::80)?$" 1;
  }}
  # A page has one address: without `.html`, `index.html` and slashes at its end. What was asked for is taken as it was
  # written: decoded, `%5C` would become a backslash, and `/\\` begins another host, as `//` does.
  map "$request_method $request_uri" $page {{
    default '';
    "~^(GET|HEAD) (?<bare>/[^/{PATH_END}](?:[^{PATH_END}]*?[^/{PATH_END}])?)(/+(index\\.html)?|\\.html)(\\?|$)" $bare;
  }}

  server {{
    listen {nginx.PORT} default_server;
    root {frappe.SITES};
    proxy_http_version 1.1;
    proxy_buffering on;
    proxy_read_timeout {site.limits.read_seconds}s;
    client_max_body_size {site.limits.body_bytes};
    error_page 413 = @large;
    {nginx.headers(4)}

    location = /-/alive {{
      access_log off;
      proxy_set_header Host alive.invalid;
      proxy_set_header X-Frappe-Site-Name alive.invalid;
      proxy_intercept_errors on;
      error_page 404 =200 /-/yes;
      proxy_pass http://{LOOPBACK}/api/method/ping;
    }}
    location = /-/yes {{ internal; default_type text/plain; return 200 'gunicorn answers\\n'; }}
    location ^~ /-/ {{ return 404; }}

    location ^~ /assets/ {{
      {nginx.headers(6)}
      add_header Cache-Control $asset_caching;
      try_files $uri =404;
    }}
    location ^~ /protected/ {{ internal; alias {here}; }}

    location ^~ /socket.io {{
      access_log off;
      if ($same_origin = 0) {{ return 403; }}
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header {nginx.WORD_HEADER} '';
      proxy_set_header X-Frappe-Site-Name {name};
      proxy_set_header Origin http://{host};
      proxy_set_header Host {host};
{realtime.passed(site)}
    }}

    location ~* ^/files/.*\\.(htm|html|svg|xml)$ {{
      {nginx.headers(6)}
      add_header Content-Disposition attachment;
      try_files {public} @gunicorn;
    }}
    location ~ ^/({NOT_PAGES})(/|$) {{ try_files {public} @gunicorn; }}
    location / {{
      if ($page) {{ return 301 $page$is_args$args; }}
      try_files {public} @gunicorn;
    }}
    location @gunicorn {{
      {nginx.request_headers(6)}
      proxy_set_header {nginx.WORD_HEADER} '';
      proxy_set_header X-Frappe-Site-Name {name};
      proxy_set_header X-Use-X-Accel-Redirect True;
      proxy_set_header X-Forwarded-For $client;
      proxy_set_header X-Forwarded-Proto $forwarded_proto;
      proxy_set_header X-Request-Id $request_name;
      # nginx's own answers when gunicorn cannot be reached, or not in time. Those of Frappe pass as they are.
      error_page 502 = @down;
      error_page 504 = @late;
      proxy_pass http://{LOOPBACK};
    }}
    location @large {{ {pages.AS_HTML} return 413 '{pages.larger_than(site.limits.body_bytes)}'; }}
    location @down {{ {pages.COME_BACK} return 503 '{pages.DOWN}'; }}
    location @late {{ {pages.COME_BACK} return 504 '{pages.LATE}'; }}
  }}
}}
"""
