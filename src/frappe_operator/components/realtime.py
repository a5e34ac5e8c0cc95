"""How the front doors of a site lead the clients of realtime to the replica that has their session.

A session of engine.io begins with a request without `sid`; every later request of any client names the `sid` of the
response. The front door that passes this response on puts a mark of the replica before the `sid`, and every front door
finds the replica by the mark and takes it away again. Marks and addresses of the replicas are in a file that FOLLOW
keeps as the DNS of the cluster has them. A site with one replica has nothing of this.
"""

from frappe_operator.components.frappe import SOCKETIO_PORT
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.site import Site

SHUTDOWN = "worker_shutdown_timeout 1h;"
"""Processes of nginx with an earlier configuration live as long as the connections that they carry. Clients that are
connected for longer connect again."""

FOLLOW = r"""
# Keeps the addresses of the realtime servers in a file that the configuration includes. Without an answer of the DNS,
# those of before stay.
addresses() {
  timeout 5 getent ahosts "${REPLICAS%:*}" | sed -n 's/^\([0-9A-Fa-f.:]\{1,\}\)[[:space:]].*/\1/p' | sort -u
}
record() {
  servers='' marks='' replicas='' default="''"
  for address in $1; do
    case $address in *:*) address="[$address]" ;; esac
    server=$address:${REPLICAS##*:}
    mark=$(printf %s "$address" | md5sum | cut -c -8)
    pattern=$(printf %s "$server" | sed 's/[].[]/\\&/g')
    servers="$servers server $server;"
    marks="$marks \"~(^|[ ,])$pattern$\" $mark.;"
    replicas="$replicas \"~^$mark[.]\" $server;"
    default=realtime
  done
  {
    [ -z "$servers" ] || echo "upstream realtime { zone realtime 64k;$servers }"
    echo "map \$upstream_addr \$mark { default '';$marks }"
    echo "map \$arg_sid \$replica { default $default;$replicas }"
  } > /tmp/replicas.next && mv /tmp/replicas.next /tmp/replicas.conf
}
follow() {
  while sleep 2; do
    now=$(addresses) || continue
    [ -n "$now" ] && [ "$now" != "$before" ] || continue
    record "$now" || continue
    # nginx writes this file after it has read its configuration: until then, it is too early.
    kill -HUP "$(cat /tmp/nginx.pid 2>/dev/null)" 2>/dev/null || continue
    before=$now
    echo "realtime servers: $(printf %s "$now" | tr '\n' ' ')" >&2
  done
}
# That of a container before this one, whose process may be another by now.
rm -f /tmp/nginx.pid
before=$(addresses) || true
record "$before"
follow &
"""


def front_door(site: Site, nginx: Manifest) -> Manifest:
    """The container of a front door, which follows the replicas if there may be several."""
    if not site.has_realtime_replicas:
        return nginx
    *shell, entry = nginx["command"]
    where = {"name": "REPLICAS", "value": f"{site.names.socketio_replicas}:{SOCKETIO_PORT}"}
    return {**nginx, "command": [*shell, FOLLOW + entry], "env": [*nginx["env"], where]}


def main(site: Site) -> str:
    """The part of a front door's nginx.conf before the block `http`."""
    return SHUTDOWN if site.has_realtime_replicas else ""


def http(site: Site) -> str:
    """The part of a front door's nginx.conf in the block `http`."""
    if not site.has_realtime_replicas:
        return ""
    return f"""
  # Gives $mark, of the replica that has answered, and $replica, of the mark before the session.
  include /tmp/replicas.conf;
  map $replica $realtime {{ default http://$replica; '' {_any(site)}; }}
  # What the mark comes after, in the response that opens a session.
  map "$http_upgrade$arg_sid" $opening {{ default ''; '' '"sid":"'; }}
  map $args $without_mark {{
    default $args;
    "~^(?<before>(?:.*&)?sid=)[0-9a-f]{{8}}\\.(?<after>.*)$" $before$after;
  }}"""


def passed(site: Site) -> str:
    """The directives that pass a request on to the realtime server, in its `location`."""
    if not site.has_realtime_replicas:
        return f"""\
      set $socketio {_any(site)};
      proxy_pass $socketio;"""
    return """\
      # The replica is chosen before the mark is taken away.
      set $socketio $realtime;
      set $args $without_mark;
      # One that has just ended may answer nothing at all. The next one is tried.
      proxy_connect_timeout 2s;
      proxy_set_header Accept-Encoding '';
      sub_filter_types *;
      sub_filter $opening $opening$mark;
      proxy_pass $socketio;"""


def _any(site: Site) -> str:
    return f"http://{site.names.socketio}.{site.owner.namespace}.svc.@CLUSTER_DOMAIN@:{SOCKETIO_PORT}"
