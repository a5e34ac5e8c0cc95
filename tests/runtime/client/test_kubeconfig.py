"""Where the API server is and how to be let in."""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from frappe_operator.runtime.client.errors import AccessError
from frappe_operator.runtime.client.kubeconfig import find, in_cluster


def a_kubeconfig(folder: Path, name: str = "config", **more: Any) -> Path:
    user = more.pop("user", {"token": "secret"})
    cluster = {"server": "https://one.example:6443/", **more.pop("cluster", {})}
    content = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "mine"}}],
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        **more,
    }
    path = folder / name
    path.write_text(yaml.safe_dump(content))
    return path


def test_a_token_and_a_namespace(tmp_path: Path) -> None:
    access = find(str(a_kubeconfig(tmp_path)), {})
    assert (access.server, access.bearer(), access.namespace) == ("https://one.example:6443", "secret", "mine")


def test_the_environment_names_it_too(tmp_path: Path) -> None:
    path = a_kubeconfig(tmp_path)
    assert find("", {"KUBECONFIG": f"{tmp_path}/none:{path}"}).bearer() == "secret"


def test_of_several_files_the_first_wins(tmp_path: Path) -> None:
    first = a_kubeconfig(tmp_path, "first", user={"token": "first"})
    second = a_kubeconfig(tmp_path, "second", user={"token": "second"})
    assert find("", {"KUBECONFIG": f"{first}:{second}"}).bearer() == "first"


def test_a_token_file_is_read_each_time(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("old\n")
    access = find(str(a_kubeconfig(tmp_path, user={"tokenFile": "token"})), {})
    assert access.bearer() == "old"
    (tmp_path / "token").write_text("new\n")
    assert access.bearer() == "new"


def test_certificates_inline_and_in_files(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(b"KEY")
    user = {"client-certificate-data": base64.b64encode(b"CERT").decode(), "client-key": "key.pem"}
    access = find(str(a_kubeconfig(tmp_path, user=user)), {})
    assert (access.certificate, access.key) == (b"CERT", b"KEY")


@pytest.mark.parametrize("user", [{"auth-provider": {"name": "x"}}, {"username": "a"}])
def test_unsupported_credentials_are_an_error(tmp_path: Path, user: dict[str, Any]) -> None:
    with pytest.raises(AccessError, match="not supported"):
        find(str(a_kubeconfig(tmp_path, user=user)), {})


def test_a_missing_kubeconfig_is_an_error() -> None:
    with pytest.raises(AccessError, match="/nowhere"):
        find("/nowhere", {})


@pytest.mark.parametrize("broken", ["[", "just words", ""])
def test_a_file_that_is_no_kubeconfig_is_an_error(tmp_path: Path, broken: str) -> None:
    (tmp_path / "config").write_text(broken)
    with pytest.raises(AccessError, match="config"):
        find(str(tmp_path / "config"), {})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"user": {"client-certificate-data": "x"}}, "not a valid kubeconfig"),
        ({"user": {"client-certificate": "none.pem"}}, "none.pem cannot be read: No such file"),
        ({"user": {"exec": "aws"}}, "not a valid kubeconfig"),
        ({"user": "aws"}, "not a valid kubeconfig"),
        ({"clusters": [{"cluster": {}}]}, "'name' is missing"),
        ({"clusters": [{"name": "c", "cluster": {}}]}, "'server' is missing"),
        ({"contexts": "here"}, "not a valid kubeconfig"),
    ],
)
def test_a_field_that_is_missing_or_malformed_is_an_error(tmp_path: Path, content: dict[str, Any], words: str) -> None:
    with pytest.raises(AccessError, match=words):
        find(str(a_kubeconfig(tmp_path, **content)), {})


def test_a_missing_context_is_an_error(tmp_path: Path) -> None:
    path = a_kubeconfig(tmp_path, **{"current-context": "elsewhere"})
    with pytest.raises(AccessError, match="elsewhere"):
        find(str(path), {})


def test_no_kubeconfig_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AccessError, match="No cluster"):
        find("", {"HOME": str(tmp_path)})


def test_the_pods_service_account(tmp_path: Path) -> None:
    for name, content in (("token", "t"), ("ca.crt", "ca"), ("namespace", "operators")):
        (tmp_path / name).write_text(content)
    environ = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    access = in_cluster(environ, tmp_path)
    assert (access.server, access.bearer(), access.namespace) == ("https://[fd00::1]:443", "t", "operators")


def test_a_pod_without_a_service_account_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AccessError, match="automountServiceAccountToken"):
        in_cluster({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, tmp_path)
