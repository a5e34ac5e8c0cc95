"""Events for browsers: published on Redis, carried on by socketio."""

import json

import redis

from frappe.conf import Conf


def publish(conf: Conf, site: str, event: str, message: str, room: str = "all") -> int:
    """Publish an event for the browsers of a site; returns how many socketio processes heard it."""
    payload = {"event": event, "message": message, "room": room, "namespace": site}
    return int(redis.from_url(conf["redis_queue"]).publish("events", json.dumps(payload)))
