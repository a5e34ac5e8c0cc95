"""nginx containers: how they start, reload a changed configuration, and keep queries out of their logs."""

import re

from frappe_operator.components.pod import CONTAINER_SECURITY, LAST_LINES, mount, scratch
from frappe_operator.kube.objects import Manifest

PORT = 8080
SOURCE = "/etc/frappe-operator/nginx"
"""Directory at which the ConfigMap with the configuration is mounted."""

REFUSED = "refused"
"""Response of `/healthz` of a proxy for an unknown host, after it has left out entries that nginx rejects."""

FILTER = r"""
s/, referrer: ".*//
s/\(upstream sent invalid header\): ".*, client: /\1, client: /
s/?.*\(", host: "[^"?&=]*"\)$/?\1/
t
s/?.*/?/
"""
"""The sed program that removes queries from the error log.

nginx logs whole requests with errors, and queries contain sessions and keys for new passwords. The text from a `?` to
the host is removed; the host is last, because the referrer is removed first. A line without host, or truncated by
nginx, ends at the `?`.
"""

ENTRY = r"""
# Runs nginx, and reloads it when the ConfigMap changes. A configuration that nginx refuses is reported and left
# aside: the one that works stays. nginx itself cannot read the pod's DNS settings, so they are filled in here:
# only characters that mean nothing to sed or nginx.
export LC_ALL=C
nameserver=$(sed -n 's/^nameserver[[:space:]]\{1,\}\([0-9A-Fa-f.:]*\).*/\1/p' /etc/resolv.conf | head -n 1)
case $nameserver in *:*) nameserver="[$nameserver]" ;; esac
domain=$(sed -n 's/^search.* svc\.\([A-Za-z0-9.-]*\).*/\1/p' /etc/resolv.conf)

take() {
  rm -rf /tmp/next && mkdir /tmp/next
  # Without the word of the proxy, one that nobody knows: nothing that a client claims is believed then.
  word=$(tr -cd A-Za-z0-9_- 2>/dev/null < "$SOURCE/word" | head -c 64)
  [ ${#word} -ge 22 ] || word=$(head -c 24 /dev/urandom | od -A n -t x1 | tr -d ' \n')
  # Not on a command line, which other processes can read.
  printf 's/@WORD@/%s/\n' "$word" > /tmp/word
  for file in "$SOURCE"/*.conf "$SOURCE"/*.map; do
    [ -f "$file" ] || continue
    sed -f /tmp/word -e "s/@NAMESERVER@/$nameserver/; s/@CLUSTER_DOMAIN@/${domain:-cluster.local}/" "$file" \
      > "/tmp/next/${file##*/}"
  done
  unknown=-
  # A line that is not one entry could take its neighbours with it, and nginx would blame those.
  for map in /tmp/next/*.map; do
    [ -f "$map" ] || continue
    for line in $(grep -anvxE '((\\\\)?[A-Za-z0-9._-]+ [A-Za-z0-9._-]+;)?' "$map" | cut -d : -f 1); do
      leave_out "${map##*/}" "$line" 'not an entry of a map'
    done
  done
  # The rest is judged by nginx. An entry that it refuses must not keep the others out.
  until said=$(nginx -e stderr -t -q -c /tmp/next/nginx.conf 2>&1); do
    place=$(printf '%s\n' "$said" | sed -n 's|.*\[emerg\].* in /tmp/next/\([a-z]*\.map\):\([0-9]*\)$|\1 \2|p;T;q')
    if [ -z "$place" ] || ! leave_out $place "$said"; then
      printf '%s\n' "$said" >&2
      return 1
    fi
  done
  [ -z "$said" ] || printf '%s\n' "$said" >&2
  sed -i "s/@UNKNOWN@/$unknown/" /tmp/next/nginx.conf
}
leave_out() {
  entry=$(sed -n "$2p" "/tmp/next/$1")
  [ -n "$entry" ] || return 1
  sed -i "$2s/.*//" "/tmp/next/$1"
  unknown=refused
  printf 'entry left out: %.300s (%s)\n' "$1:$2: $entry" "$3" >&2
}
use() { rm -rf /tmp/conf && mv /tmp/next /tmp/conf; }

# The error log goes through FILTER.
filter() {
  sed -u "$FILTER" < /tmp/errors >&2 &
  filter=$!
}
rm -f /tmp/errors && mkfifo -m 600 /tmp/errors

version=$(readlink "$SOURCE/..data")
if take || [ ! -d /tmp/conf ]; then
  use
else
  echo "configuration refused, the one before this container's start stays: $version" >&2
fi
filter
nginx -e stderr -c /tmp/conf/nginx.conf -g 'daemon off;' 2> /tmp/errors &
nginx=$!
trap 'kill -QUIT $nginx' TERM INT

while kill -0 $nginx 2>/dev/null; do
  sleep 1 & wait $! || true
  # Without its filter nginx goes on, and what it says is lost.
  kill -0 $filter 2>/dev/null || filter
  now=$(readlink "$SOURCE/..data") || continue
  [ "$now" != "$version" ] || continue
  version=$now
  if take; then
    use
    kill -HUP $nginx
    echo "configuration taken up: $version" >&2
  else
    echo "configuration refused, the one before stays: $version" >&2
  fi
done
# The last words. Not waited for longer: a worker whose master was killed never closes its end.
for _ in 1 2 3 4 5; do
  kill -0 $filter 2>/dev/null || break
  sleep 0.2 & wait $! || true
done
wait $nginx
"""

MAIN = """\
worker_processes 2;
pid /tmp/nginx.pid;
error_log stderr warn;
events { worker_connections 4096; }
"""

HTTP = """\
  include /etc/nginx/mime.types;
  default_type application/octet-stream;
  client_body_temp_path /tmp/client_body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;
  server_tokens off;
  absolute_redirect off;
  sendfile on;
  tcp_nopush on;
  keepalive_timeout 65s;
  resolver @NAMESERVER@ valid=5s;
  # A client may name its request, so that its own logs and these can be put side by side.
  map $http_x_request_id $request_name { default $request_id; "~^[A-Za-z0-9-]{8,64}$" $http_x_request_id; }
  # $request and $args are never logged: realtime's call-back carries the session in its query. $uri would be the file
  # that was found, not the path that was asked for.
  map $request_uri $asked_path { default $uri; "~^(?<before_query>/[^?]*)" $before_query; }
  log_format requests escape=json '{"time":"$time_iso8601","client":"$remote_addr","host":"$host",'
    '"method":"$request_method","path":"$asked_path","status":$status,"bytes":$body_bytes_sent,"seconds":$request_time,'
    '"request":"$request_name"}';
  access_log /dev/stdout requests;
  # A request may name two hosts, one in its first line, and write anything for a port. What follows is told the host
  # that was decided on, in its one spelling, with the port if it is one.
  map "$host $http_host" $asked_port { default ''; "~*^([^ ]+) \\1\\.?(?<digits>:[0-9]{1,5})$" $digits; }
  gzip on;
  gzip_proxied any;
  gzip_min_length 1k;
  gzip_types text/plain text/css text/xml application/json application/javascript application/xml image/svg+xml;
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  # A name with the content's hash never means another content. Other names do, after the next release.
  map $uri $asset_caching {
    default '';
    "~\\.bundle\\.[A-Z2-7]{8}\\.(css|js)(\\.map)?$" 'public, max-age=31536000, immutable';
  }
"""

NOT_FROM_CLIENTS = (
    *("Forwarded", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Server", "X-Real-IP"),
    # From a proxy, gunicorn and web frameworks take these for the scheme.
    *("X-Forwarded-Protocol", "X-Forwarded-Scheme", "X-Forwarded-Ssl", "Front-End-Https"),
    # And these for the address that was asked for, the visitor, and the proxy for requests of the program's own.
    *("X-Client-IP", "X-Host", "X-Original-Host", "X-Original-URL", "X-Rewrite-URL", "Proxy"),
    # The answers of a program have these.
    *("X-Accel-Buffering", "X-Accel-Expires", "X-Accel-Redirect", "X-Sendfile"),
)
"""Headers of requests that only a proxy may set and this side does not: nobody behind it has to tell them apart."""


def request_headers(indent: int) -> str:
    """The lines of a block that leave NOT_FROM_CLIENTS out of a request, and tell the host as it was decided on."""
    lines = [*(f"proxy_set_header {name} '';" for name in NOT_FROM_CLIENTS), "proxy_set_header Host $host$asked_port;"]
    return f"\n{' ' * indent}".join(lines)


SCHEME = """\
  map $http_x_forwarded_proto $forwarded_proto { default $scheme; http http; https https; }
"""
"""The map of the scheme that a visitor used, trusted from the sender of each request."""

WORD, WORD_DIGEST = "word", "digest"
"""Keys of the Secret with the word that shows a front door that a request comes from the proxy of its bench, and the
digest by which it knows the word. One of them is the file `word` beside the configuration of a container."""
WORD_HEADER = "X-Frappe-Operator-Proxy"

HEADERS = (
    "add_header X-Content-Type-Options nosniff always;",
    "add_header X-Frame-Options SAMEORIGIN always;",
    "add_header Referrer-Policy 'same-origin, strict-origin-when-cross-origin' always;",
)
"""Headers of every response. A location with its own `add_header` does not inherit them and must repeat them."""

PLAIN = re.compile(r"[A-Za-z0-9/][A-Za-z0-9._:/-]*")
"""Words that need no quotes in a configuration of nginx."""

NAME = re.compile(r"[A-Za-z0-9._-]+")
"""Text that is valid in an entry of a map; ENTRY accepts nothing else."""


def headers(indent: int) -> str:
    """HEADERS as lines of a block that is indented by `indent` spaces."""
    return f"\n{' ' * indent}".join(HEADERS)


class Unwritable(ValueError):
    """A text that a configuration of nginx cannot contain."""


def text(value: str) -> str:
    """`value` as the content of a string in double quotes. Raises Unwritable when that is not possible."""
    # `$` begins a variable and cannot be escaped; ENTRY replaces placeholders between two `@`.
    if re.search(r"[\x00-\x1f\x7f$@]", value):
        raise Unwritable(f"nginx's configuration cannot hold {value!a}")
    return value.replace("\\", "\\\\").replace('"', '\\"')


def word(value: str) -> str:
    """`value` as one word of the configuration, quoted if necessary. Raises Unwritable when that is not possible."""
    return value if PLAIN.fullmatch(value) else f'"{text(value)}"'


def entry(host: str, value: str) -> str:
    """The line of a map from `host` to `value`. Invalid names result in a comment, which ENTRY reports.

    A word without a dot may be a parameter of `map` in some version of nginx, such as `default`. An escaped backslash
    before it marks it as a host.
    """
    if not (NAME.fullmatch(host) and NAME.fullmatch(value)):
        return f"# {host!a} {value!a}\n"
    key = host if "." in host else f"\\\\{host}"
    return f"{key} {value};\n"


def volumes(config_map: str, word_secret: str, word_key: str, name: str = "nginx", conf: str = "") -> list[Manifest]:
    """The volumes of the `container` of this name: its configuration with the word of the proxy, or its digest, beside
    it, and a place for its temporary files that no other container mounts. `conf`: the key of its nginx.conf in the
    ConfigMap, empty for a ConfigMap that is its alone."""
    # Without the Secret nginx trusts nobody and serves all the same.
    word = {"name": word_secret, "optional": True, "items": [{"key": word_key, "path": WORD, "mode": 0o440}]}
    items = {"items": [{"key": conf, "path": "nginx.conf"}]} if conf else {}
    sources = [{"configMap": {"name": config_map, **items}}, {"secret": word}]
    return [{"name": name, "projected": {"sources": sources}}, scratch(f"{name}-tmp")]


HTTP_PORT: Manifest = {"name": "http", "containerPort": PORT}


def ready(path: str) -> Manifest:
    """The probe that requests this path from nginx on PORT."""
    return {"httpGet": {"path": path, "port": "http"}}


def container(
    image: str,
    pull_policy: str,
    resources: Manifest,
    probe: Manifest,
    *mounts: Manifest,
    name: str = "nginx",
    port: Manifest = HTTP_PORT,
) -> Manifest:
    """An nginx container that serves `port` from the configuration in `volumes(name)`.

    It writes to a volume of its own: the code of a site runs in a container of the same pod.
    """
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": pull_policy,
        "command": ["sh", "-ec", ENTRY],
        "env": [{"name": "SOURCE", "value": SOURCE}, {"name": "FILTER", "value": FILTER}],
        "ports": [port],
        "readinessProbe": {**probe, "periodSeconds": 5, "timeoutSeconds": 5},
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", "5"]}}},
        "resources": resources,
        "terminationMessagePolicy": LAST_LINES,
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [mount(name, SOURCE, read_only=True), mount(f"{name}-tmp", "/tmp"), *mounts],
    }
