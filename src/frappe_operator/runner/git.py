"""Fetches an app from its git repository. Nothing that the repository contains is executed.

No hook, helper, filter or submodule runs, only https and ssh are allowed, and git never prompts. The login comes from
mounted files: a program that git asks prints it, so that it is in no argument and no environment.
"""

import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from . import child, credentials, paths
from .log import say
from .outcome import Blocked, Retry, Stopped

COMMIT = re.compile("[0-9a-f]{40}")
SECONDS = 120
"""Time limit for questions to the server; a transfer has no limit as long as it proceeds."""
SHOWN = 8
"""How many branches a message names."""
SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "credential.helper=",
    "submodule.recurse=false",
    "protocol.allow=never",
    "protocol.https.allow=always",
    "protocol.ssh.allow=always",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
    "advice.detachedHead=false",
)
SSH = "ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=30"
ANSWER = r"""#!/bin/sh
case $1 in
  Username*) cat "$FRAPPE_OPERATOR_LOGIN/username" ;;
  *) cat "$FRAPPE_OPERATOR_LOGIN/password" ;;
esac
"""
"""The program that git asks for user name and password."""

NO_SPACE = re.compile("No space left on device|Disk quota exceeded")
UNREACHABLE = re.compile(
    "Could not resolve|[Ff]ailed to connect|[Cc]ouldn't connect|[Cc]onnection (timed out|refused|reset|closed)|"
    "timed out|Network is unreachable|No route to host|Operation too slow|RPC failed|early EOF|unexpected disconnect|"
    "name resolution|returned error: (429|5[0-9][0-9])"
)
REFUSED = re.compile(
    "Authentication failed|could not read (Username|Password)|prompts disabled|not found|Permission denied|"
    "Host key verification failed|does not appear to be a git repository|certificate|returned error: 4[0-9][0-9]|"
    "not allowed|redirect"
)


class _Session(NamedTuple):
    """How the repository is reached."""

    url: str
    settings: list[str]
    env: dict[str, str]

    def argv(self, *arguments: str) -> list[str]:
        return ["git", *(word for each in self.settings for word in ("-c", each)), *arguments]


def fetch(url: str, branch: str, version: str, target: Path) -> str:
    """Checks out a branch, a version (tag, full commit id or branch) or the default branch of a repository into the
    empty folder `target`, without its history. Returns the commit. Raises Blocked and Retry."""
    for program in ("git", *(["ssh"] if url.startswith("ssh:") else [])):
        if shutil.which(program) is None:
            raise Blocked("ImageInvalid", f"the image contains no program {program}: use an image that contains it")
    with _session(url) as session:
        wanted = version if COMMIT.fullmatch(version) else _reference(session, branch, version)
        say(f"Fetching {wanted} from {url}")
        _run(session, target, "init", "--quiet", "--template=")
        _run(
            session, target, "fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--", url, wanted
        )
        _run(session, target, "checkout", "--quiet", "--force", "--detach", "FETCH_HEAD")
        commit = _run(session, target, "rev-parse", "HEAD").out.strip()
    if not COMMIT.fullmatch(commit):
        raise Retry("GitUnreachable", f"git names the commit {commit!r}")
    shutil.rmtree(target / ".git")
    if (target / ".gitmodules").exists():
        say("The repository has submodules, which are not fetched")
    return commit


def _reference(session: _Session, branch: str, version: str) -> str:
    """The full name of the branch or tag at the server."""
    if branch:
        names = [f"refs/heads/{branch}"]
    else:
        names = [f"refs/tags/{version}", f"refs/heads/{version}"] if version else ["HEAD"]
    there = _names(session, *names)
    if found := next((name for name in names if name in there), None):
        return found
    if not version and not branch:
        raise Blocked("GitRefNotFound", f"{session.url} has no default branch: set gitBranch")
    branches = sorted(name.removeprefix("refs/heads/") for name in _names(session, "refs/heads/*"))
    # Branches for versions first: they are what people look for.
    branches.sort(key=lambda name: not name.startswith("version-"))
    more = f" and {len(branches) - SHOWN} more" if len(branches) > SHOWN else ""
    kind = "branch" if branch else "tag or branch"
    raise Blocked(
        "GitRefNotFound",
        f"{session.url} has no {kind} {branch or version}; its branches are {', '.join(branches[:SHOWN])}{more}: "
        "correct gitBranch or version",
    )


def _names(session: _Session, *patterns: str) -> list[str]:
    """Names of branches and tags at the server."""
    try:
        ended = child.ask(
            session.argv("ls-remote", "--quiet", "--", session.url, *patterns), "", timeout=SECONDS, env=session.env
        )
    except subprocess.TimeoutExpired:
        raise Retry("GitUnreachable", f"{session.url} has not answered within {SECONDS} seconds") from None
    if ended.code != 0:
        raise _trouble(session, "ls-remote", ended)
    return [line.partition("\t")[2] for line in ended.out.splitlines()]


def _run(session: _Session, folder: Path, *arguments: str) -> child.Ended:
    # git refuses a repository that it finds in a folder of another user, and a mounted folder is root's.
    where = (f"--git-dir={folder / '.git'}", f"--work-tree={folder}")
    ended = child.follow(session.argv(*where, *arguments), cwd=folder, env=session.env)
    if ended.code != 0:
        raise _trouble(session, arguments[0], ended)
    return ended


def _trouble(session: _Session, command: str, ended: child.Ended) -> Stopped:
    said = ended.last(3)
    if NO_SPACE.search(said):
        return Retry("StorageFailed", f"No space left on the node for the source: {said}")
    if UNREACHABLE.search(said):
        return Retry("GitUnreachable", f"{session.url} cannot be reached: {said}")
    if REFUSED.search(said):
        return Blocked(
            "GitRefused",
            f"{session.url} cannot be read: {said}. Correct the URL, branch or commit, or the Secret in authSecretRef",
        )
    return Retry("GitUnreachable", f"git {command} of {session.url} exited with {ended.code}: {said or 'no output'}")


@contextmanager
def _session(url: str) -> Iterator[_Session]:
    """Settings and environment of git, with the login from the Secret of the app where there is one."""
    settings = list(SETTINGS)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "SSH_"))}
    env |= {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_ASKPASS": "/bin/false",
        "GIT_SSH_COMMAND": SSH,
        "LC_ALL": "C",
    }
    # Only memory holds the login.
    folder = Path("/dev/shm") / f"git-{os.getpid()}"
    secret = paths.SECRETS / "git"
    if not secret.is_dir():
        settings.append("http.followRedirects=initial")
        yield _Session(url, settings, env)
        return
    # A redirect to another server would be given the login.
    settings.append("http.followRedirects=false")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    try:
        if (secret / "ca.crt").exists():
            settings.append(f"http.sslCAInfo={secret / 'ca.crt'}")
        if url.startswith("https:"):
            env |= _https_login(folder)
        else:
            env |= _ssh_login(folder)
        yield _Session(url, settings, env)
    finally:
        shutil.rmtree(folder)


def _https_login(folder: Path) -> dict[str, str]:
    found = credentials.git()
    if "ssh-privatekey" in found:
        raise Blocked("SecretInvalid", "the git Secret has an ssh-privatekey, but the URL begins with https: use ssh")
    if "ca.crt" in found and len(found) == 1:
        return {}
    password = found.get("password") or found.get("token")
    if not password:
        raise Blocked("SecretInvalid", "the git Secret needs username and password, or token")
    # Servers ignore the user name beside a token, but require one.
    (folder / "username").write_text(found.get("username") or "x-access-token", encoding="utf-8")
    (folder / "password").write_text(password, encoding="utf-8")
    # Container runtimes execute no program in /dev/shm.
    program = Path(tempfile.gettempdir()) / "git-answer"
    program.write_text(ANSWER, encoding="utf-8")
    program.chmod(stat.S_IRWXU)
    return {"GIT_ASKPASS": str(program), "FRAPPE_OPERATOR_LOGIN": str(folder)}


def _ssh_login(folder: Path) -> dict[str, str]:
    found = credentials.git()
    for key in ("ssh-privatekey", "known_hosts"):
        if not found.get(key):
            raise Blocked("SecretInvalid", f"the git Secret has no key {key}, which a URL with ssh needs: add it")
    # ssh refuses a key that others may read, and one without a line break at its end.
    for key in ("ssh-privatekey", "known_hosts"):
        (folder / key).write_text(f"{found[key]}\n", encoding="utf-8")
        (folder / key).chmod(0o600)
    files = f"-i {folder}/ssh-privatekey -o IdentitiesOnly=yes -o UserKnownHostsFile={folder}/known_hosts"
    return {"GIT_SSH_COMMAND": f"{SSH} {files}"}
