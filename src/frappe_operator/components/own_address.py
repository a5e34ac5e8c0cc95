"""A site reaches itself: its hosts in its pods, and a container of the web pods that shows its certificate.

The container has the key of the certificate and nothing else: no file of the site, no directory that another container
of the pod can write to. nginx as front door has both, and a link in the files of the site would publish the key.
"""

from frappe_operator.components import nginx
from frappe_operator.components.pod import mount, secret_volume
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.own_address import OwnAddress
from frappe_operator.model.site import Site

PORT = 8443
CONF = "own-tls.conf"
"""Key of the configuration in the ConfigMap of the front door."""
CERTIFICATE = "/etc/frappe-operator/certificate"
"""Directory at which the Secret with the certificate is mounted."""


MARGIN_SECONDS = 5
"""How much longer than the front door it waits for an answer, so that the front door answers first."""


def host_aliases(own: OwnAddress) -> Manifest:
    """The field `hostAliases` of a pod; no field where names resolve as everywhere."""
    if not own.service_ip or not own.hosts:
        return {}
    return {"hostAliases": [{"ip": own.service_ip, "hostnames": list(own.hosts)}]}


def service_ports(own: OwnAddress) -> list[Manifest]:
    """The ports at which programs expect a web site, for the Service of the web pods."""
    web = {"name": "web", "port": 80, "targetPort": "http"}
    return [web, {"name": "web-tls", "port": 443, "targetPort": "https"}] if own.secret else [web]


def containers(site: Site) -> list[Manifest]:
    """The container that terminates TLS for the pods of the site; none for a site that is reached over http."""
    if not site.own.secret:
        return []
    return [
        nginx.container(
            site.image.reference,
            site.image.pull_policy,
            site.front_door,
            {"tcpSocket": {"port": "https"}},
            mount("certificate", CERTIFICATE, read_only=True),
            name="own-tls",
            port={"name": "https", "containerPort": PORT},
        )
    ]


def volumes(site: Site) -> list[Manifest]:
    """The volumes of `containers`."""
    if not site.own.secret:
        return []
    certificate = secret_volume("certificate", site.own.secret, "tls.crt", "tls.key")
    # cert-manager writes it after the first visitors could have come, and nginx reads it at each handshake.
    certificate["secret"]["optional"] = True
    return [certificate, *nginx.volumes(site.names.front_door, site.bench.proxy_word, nginx.WORD, "own-tls", CONF)]


def conf(site: Site) -> dict[str, str]:
    """The configuration of `containers`, as an entry of a ConfigMap.

    The path of the certificate has a variable, so that nginx reads it at each handshake: one that comes later or is
    renewed needs no reload.
    """
    if not site.own.secret:
        return {}
    text = f"""\
{nginx.MAIN}
http {{
{nginx.HTTP}
  map $ssl_server_name $certificate {{ default {CERTIFICATE}; }}

  server {{
    listen {PORT} ssl default_server;
    ssl_certificate $certificate/tls.crt;
    ssl_certificate_key $certificate/tls.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    # The front door has the limits, and logs.
    access_log off;
    client_max_body_size 0;
    proxy_request_buffering off;
    proxy_http_version 1.1;
    proxy_read_timeout {site.limits.read_seconds + MARGIN_SECONDS}s;
    proxy_set_header Host $http_host;
    proxy_set_header {nginx.WORD_HEADER} @WORD@;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto https;
    proxy_set_header X-Request-Id $request_name;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_upgrade;
    location ^~ /-/ {{ return 404; }}
    location / {{ proxy_pass http://127.0.0.1:{nginx.PORT}; }}
  }}
}}
"""
    return {CONF: text}


def trusted_authority(own: OwnAddress) -> list[Manifest]:
    """The volume with the certificate authority of the Secret, without its key; empty without one."""
    if not own.authority:
        return []
    authority = secret_volume("authority", own.secret, "ca.crt")
    authority["secret"]["optional"] = True
    return [authority]
