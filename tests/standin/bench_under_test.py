"""A bench of the stand-in with its servers, and sites in it, told to do things as the operator tells it."""

import contextlib
import json
import os
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.standin.rootfs import BENCH, Rootfs, free_port

PYTHON = f"{BENCH}/env/bin/python"


@dataclass
class Bench:
    """One view of a bench: a `sites/` folder of its own, in which only its own sites are."""

    rootfs: Rootfs
    database_port: int
    redis_port: int
    root_password: str
    view: str
    common: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rootfs.folder(self.view)
        sites = self.rootfs.folder(self.sites)
        self.rootfs.folder(f"{self.view}/logs")
        self.rootfs.folder(f"{self.view}/config")
        (sites / "apps.txt").write_text("frappe\nerpnext\nhrms\n")
        (sites / "assets").symlink_to(f"{BENCH}/assets")
        redis = f"redis://127.0.0.1:{self.redis_port}/0"
        self.write("common_site_config.json", {"redis_cache": redis, "redis_queue": redis, **self.common})

    @property
    def sites(self) -> str:
        return f"{self.view}/sites"

    def write(self, path: str, content: Any) -> None:
        """Put JSON into a file below `sites/`, as the bench's user."""
        file = self.rootfs.inside(f"{self.sites}/{path}")
        self.rootfs.folder(f"{self.sites}/{path}".rpartition("/")[0])
        file.write_text(json.dumps(content))
        os.chown(file, 1000, 1000)

    def read(self, path: str) -> Any:
        return json.loads(self.rootfs.inside(f"{self.sites}/{path}").read_text())

    def command(
        self, *words: str, site: str = "", said: str = "", env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `bench_helper frappe …` in this view."""
        return self.rootfs.run(self.argv(*words, site=site), folder=self.sites, said=said, env=env)

    @contextlib.contextmanager
    def gunicorn(self, env: Mapping[str, str] | None = None) -> Iterator[int]:
        """gunicorn as a pod starts it; yields its port."""
        port = free_port()
        settings = ["--threads=4", "--workers=1", "--worker-class=gthread", "--worker-tmp-dir=/dev/shm"]
        argv = [f"{BENCH}/env/bin/gunicorn", f"--chdir={self.sites}", f"--bind=127.0.0.1:{port}", *settings]
        log = self.rootfs.inside(f"{self.view}/gunicorn.log")
        argv += ["--preload", "frappe.app:application"]
        with self.rootfs.running(argv, folder=self.sites, env=env, log=log):
            yield port

    def argv(self, *words: str, site: str = "") -> list[str]:
        chosen = ["--site", site] if site else []
        return [PYTHON, "-m", "frappe.utils.bench_helper", "frappe", *chosen, *words]

    def root_sql(self, *statements: str, database: str = "") -> list[list[str]]:
        """What the database's administrator gets for `statements`: rows of texts."""
        server = ["--host=127.0.0.1", f"--port={self.database_port}", "--user=chief"]
        secret = {"MYSQL_PWD": self.root_password}
        argv = ["mariadb", "--no-defaults", "--batch", "--skip-column-names", *server, database or "mysql"]
        done = self.rootfs.run(argv, said=";\n".join(statements), env=secret)
        assert done.returncode == 0, done.stderr
        return [line.split("\t") for line in done.stdout.splitlines()]

    def database(self) -> str:
        """A new database with a user of its name, as the operator prepares them; returns the name: password too."""
        name = f"site_{secrets.token_hex(4)}"
        self.root_sql(
            f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
            f"CREATE USER '{name}'@'%' IDENTIFIED BY '{name}'",
            f"GRANT ALL PRIVILEGES ON `{name}`.* TO '{name}'@'%'",
        )
        return name

    def prepared(self, site: str, **config: Any) -> str:
        """A database, and a site_config.json that names it, before new-site; returns the database's name."""
        name = self.database()
        connection = {"db_name": name, "db_password": name, "db_host": "127.0.0.1", "db_port": self.database_port}
        self.write(f"{site}/site_config.json", {**connection, "db_type": "mariadb", "admin_password": "open", **config})
        return name

    def new_site(
        self, site: str, name: str, *words: str, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Make a site the way the operator does."""
        return self.command("new-site", site, "--force", "--no-setup-db", "--db-name", name, *words, env=env)

    def made(self, site: str, **config: Any) -> str:
        """A whole site; returns its database's name."""
        name = self.prepared(site, **config)
        done = self.new_site(site, name)
        assert done.returncode == 0, done.stdout + done.stderr
        return name
