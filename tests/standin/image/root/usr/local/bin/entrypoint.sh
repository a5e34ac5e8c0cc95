#!/bin/bash
# Links the image's built assets into sites/, then becomes the command: what the official images do.
set -e
rm -rf /home/frappe/frappe-bench/sites/assets
ln -s /home/frappe/frappe-bench/assets /home/frappe/frappe-bench/sites/assets
exec "$@"
