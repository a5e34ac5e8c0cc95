"""Paths in a Frappe pod. Only tests change them, by environment variables."""

import os
from pathlib import Path

BENCH = Path(os.environ.get("BENCH", "/home/frappe/frappe-bench"))
APPS = BENCH / "apps"
SITES = BENCH / "sites"
SECRETS = Path(os.environ.get("SECRETS", "/run/secrets/frappe-operator"))
VOLUME = Path(os.environ.get("VOLUME", "/volume"))
"""Root of the volume with the site's files, in the pod that creates the site."""
TERMINATION_LOG = Path(os.environ.get("TERMINATION_LOG", "/dev/termination-log"))
CERTIFICATES = Path(os.environ.get("CERTIFICATES", "/etc/ssl/certs/ca-certificates.crt"))
"""The certificates of public authorities in the image."""
HOME = Path(os.environ["HOME"]) if "HOME" in os.environ else None
"""The home directory, which a pod shares among its containers; None where there is none."""
REDIS_PORT = int(os.environ.get("REDIS_PORT", "6379"))

OURS = ".frappe-operator"
"""The folder in a site's directory, and in an app layer, with the records of the operator."""
LAYER_RECORD = Path(OURS) / "layer.json"
"""The record of an app layer, relative to the layer."""
