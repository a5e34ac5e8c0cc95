"""The Secret of Redis contains the same password for servers and clients."""

import base64
import json

import pytest

from frappe_operator.components import redis

CHOSEN = "chosen canary\\'\""


def agree(**data: str) -> bool:
    encoded = {name: base64.b64encode(value.encode()).decode() for name, value in data.items()}
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": "annotated-canary"}
    meta = {"uid": "u-1", "resourceVersion": "7", "annotations": annotations}
    kept = redis.agreement(json.dumps({"metadata": meta, "data": encoded}).encode())
    assert b"canary" not in kept, "neither password nor annotations are remembered"
    found = json.loads(kept)
    assert found["metadata"] == {"uid": "u-1", "resourceVersion": "7"}
    return bool(found["agree"])


@pytest.mark.parametrize(
    ("password", "conf"),
    [
        ("canary", f"requirepass {redis.word('canary')}\n"),
        (CHOSEN, f"requirepass {redis.word(CHOSEN)}\n"),
        ("canary", "requirepass canary"),
        ("canary\n", 'maxclients 99\nrequirepass "old"\n  requirepass   "canary"\n'),
    ],
)
def test_one_password_however_it_is_spelled_agrees(password: str, conf: str) -> None:
    assert agree(**{"password": password, "redis.conf": conf})


@pytest.mark.parametrize(
    ("password", "conf"),
    [
        ("canary", "requirepass other"),
        ("canary", "requirepass canary\nrequirepass other"),
        ("canary", ""),
        ("", "requirepass canary"),
        ("", 'requirepass ""'),
        (CHOSEN, f"requirepass {CHOSEN}"),
    ],
)
def test_two_passwords_do_not_agree(password: str, conf: str) -> None:
    assert not agree(**{"password": password, "redis.conf": conf})


def test_a_secret_without_a_key_does_not_agree() -> None:
    assert not agree(password="canary")
    assert not agree()
