"""How our nginx containers start and take up a changed configuration without a restart."""

from frappe_operator.components.pod import CONTAINER_SECURITY, mount
from frappe_operator.kube.kinds import Manifest

PORT = 8080
SOURCE = "/etc/frappe-operator/nginx"
"""Where the ConfigMap with the configuration is mounted."""

ENTRY = r"""
# Runs nginx, and reloads it when the ConfigMap changes. A configuration that nginx refuses is reported and left
# aside: the one that works stays. nginx itself cannot read the pod's DNS settings, so they are filled in here.
nameserver=$(awk '/^nameserver/ { print $2; exit }' /etc/resolv.conf)
case $nameserver in *:*) nameserver="[$nameserver]" ;; esac
domain=$(sed -n 's/^search.* svc\.\([^ ]*\).*/\1/p' /etc/resolv.conf)

take() {
  rm -rf /tmp/next && mkdir /tmp/next
  for file in "$SOURCE"/*; do
    sed "s/@NAMESERVER@/$nameserver/; s/@CLUSTER_DOMAIN@/${domain:-cluster.local}/" "$file" > "/tmp/next/${file##*/}"
  done
}
use() { rm -rf /tmp/conf && mv /tmp/next /tmp/conf; }

version=$(readlink "$SOURCE/..data")
take && use
nginx -e /dev/stderr -c /tmp/conf/nginx.conf -g 'daemon off;' &
nginx=$!
trap 'kill -QUIT $nginx' TERM INT

while kill -0 $nginx 2>/dev/null; do
  sleep 1 & wait $! || true
  now=$(readlink "$SOURCE/..data") || continue
  [ "$now" != "$version" ] || continue
  version=$now
  take
  if nginx -e /dev/stderr -t -q -c /tmp/next/nginx.conf; then
    use
    kill -HUP $nginx
    echo "configuration taken up: $version" >&2
  else
    echo "configuration refused, the one before stays: $version" >&2
  fi
done
wait $nginx
"""

MAIN = """\
worker_processes 2;
pid /tmp/nginx.pid;
error_log /dev/stderr warn;
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
  client_max_body_size 50m;
  resolver @NAMESERVER@ valid=5s;
  # $request and $args are never logged: realtime's call-back carries the session in its query.
  log_format plain '$remote_addr $host "$request_method $uri" $status $body_bytes_sent $request_time';
  access_log /dev/stdout plain;
  gzip on;
  gzip_proxied any;
  gzip_min_length 1k;
  gzip_types text/plain text/css text/xml application/json application/javascript application/xml image/svg+xml;
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  map $http_x_forwarded_proto $forwarded_proto { default $scheme; http http; https https; }
"""


def container(image: str, pull_policy: str, resources: Manifest, probe_path: str, *mounts: Manifest) -> Manifest:
    """An nginx container that serves port 8080 from the ConfigMap mounted as the volume `nginx`."""
    return {
        "name": "nginx",
        "image": image,
        "imagePullPolicy": pull_policy,
        "command": ["sh", "-ec", ENTRY],
        "env": [{"name": "SOURCE", "value": SOURCE}],
        "ports": [{"name": "http", "containerPort": PORT}],
        "readinessProbe": {
            "httpGet": {"path": probe_path, "port": "http"},
            "periodSeconds": 5,
            "timeoutSeconds": 5,
        },
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", "5"]}}},
        "resources": resources,
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [mount("nginx", SOURCE, read_only=True), mount("tmp", "/tmp"), *mounts],
    }
