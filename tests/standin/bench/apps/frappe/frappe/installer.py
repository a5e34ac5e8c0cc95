"""Making a site and putting apps into it, in Frappe's order, without any way back: what fails stays half-made."""

import getpass
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from frappe import schema
from frappe.auth import set_password
from frappe.conf import Conf, all_apps, site_conf, sites_path
from frappe.database import Database, connected, run_script
from frappe.exceptions import DuplicateEntryError, FrappeError
from frappe.failure import Failing
from frappe.locking import filelock

FOLDERS = ("public/files", "private/backups", "private/files", "locks", "logs")

TABLES = (
    "CREATE TABLE IF NOT EXISTS `__Auth` (`doctype` varchar(140) NOT NULL, `name` varchar(255) NOT NULL, "
    "`fieldname` varchar(140) NOT NULL, `password` text NOT NULL, `encrypted` int(1) NOT NULL DEFAULT 0, "
    f"PRIMARY KEY (`doctype`, `name`, `fieldname`)) ENGINE=InnoDB {schema.OPTIONS}",
    "CREATE TABLE IF NOT EXISTS `__global_search` (`doctype` varchar(100), `name` varchar(140), `content` text, "
    f"UNIQUE `doctype_name` (`doctype`, `name`), FULLTEXT (`content`)) ENGINE=MyISAM {schema.OPTIONS}",
    "CREATE TABLE IF NOT EXISTS `__UserSettings` (`user` varchar(180) NOT NULL, `doctype` varchar(180) NOT NULL, "
    f"`data` text, UNIQUE (`user`, `doctype`)) ENGINE=InnoDB {schema.OPTIONS}",
)


@dataclass(frozen=True)
class Request:
    """What new-site was asked for."""

    site: str
    force: bool = False
    setup_db: bool = True
    db_name: str | None = None
    db_password: str | None = None
    db_type: str = "mariadb"
    db_host: str | None = None
    db_port: int | None = None
    login_scope: str | None = None
    root_username: str | None = None
    root_password: str | None = None
    admin_password: str | None = None
    apps: list[str] = field(default_factory=list)


def new_site(asked: Request) -> None:
    """Make a site. Raises FrappeError, the server's errors, or whatever the machine says; nothing is undone."""
    folder = sites_path() / asked.site
    if folder.exists() and not asked.force:
        raise FrappeError(f"Site {asked.site} already exists")
    failing = Failing("new-site", asked.site, site_conf(asked.site, new=True))
    for path in FOLDERS:
        (folder / path).mkdir(parents=True, exist_ok=True)
    failing.at("after-directories")
    with filelock(folder / "locks", "bench_new_site"):
        _write_config(folder / "site_config.json", asked)
        conf = site_conf(asked.site)
        failing.at("after-config")
        if asked.setup_db:
            _make_database(conf, asked)
        failing.at("after-database")
        with connected(conf, asked.site) as database:
            run_script(conf, Path(__file__).parent / "framework_mariadb.sql")
            if "tabDefaultValue" not in database.tables():
                raise FrappeError("Database not installed; the import of its framework tables did nothing")
            for statement in TABLES:
                database.sql(statement)
            failing.at("after-framework")
            _install_frappe(database, conf, asked, failing)
            failing.at("after-frappe")
            for app in asked.apps:
                install_app(database, asked.site, app, force=asked.force)
            print("*** Scheduler is disabled ***")
        failing.at("after-apps")


def _write_config(file: Path, asked: Request) -> None:
    # One that is there is used as it is, whatever the flags say.
    if file.exists():
        return
    digest = hashlib.sha1(str(file.parent.resolve()).encode(), usedforsecurity=False).hexdigest()
    config = {
        "db_name": asked.db_name or f"_{digest[:16]}",
        "db_password": asked.db_password or secrets.token_urlsafe(12),
        "db_type": asked.db_type,
        "db_host": asked.db_host,
        "db_port": asked.db_port,
    }
    file.write_text(json.dumps({key: value for key, value in config.items() if value}, indent=1))


def root_connection(conf: Conf, site: str, username: str | None, password: str | None) -> Database:
    """A connection as the server's administrator, whose password is asked for when nobody has said it."""
    user = username or str(conf.get("root_login") or "root")
    secret = password or conf.get("root_password") or getpass.getpass("MySQL root password: ")
    return Database(conf, site, user=user, password=str(secret), schema=False)


def _make_database(conf: Conf, asked: Request) -> None:
    root = root_connection(conf, asked.site, asked.root_username, asked.root_password)
    name, password = conf["db_name"], conf["db_password"]
    if name in {row[0] for row in root.sql("SHOW DATABASES")} and not asked.force:
        raise FrappeError(f"Database {name} already exists, use --force to overwrite")
    scope = asked.login_scope or str(root.value("SELECT USER()")).rpartition("@")[2]
    root.sql("DROP USER IF EXISTS %s@%s", name, scope)
    root.sql(f"DROP DATABASE IF EXISTS `{name}`")
    root.sql("CREATE USER %s@%s IDENTIFIED BY %s", name, scope, password)
    root.sql(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
    root.sql(f"GRANT ALL PRIVILEGES ON `{name}`.* TO %s@%s", name, scope)
    root.sql("FLUSH PRIVILEGES")
    root.close()


def _install_frappe(database: Database, conf: Conf, asked: Request, failing: Failing) -> None:
    print("\nInstalling frappe...", flush=True)
    schema.sync(database, "frappe")
    database.sql("CREATE SEQUENCE IF NOT EXISTS web_form_list_column_id_seq NOCACHE NOCYCLE")
    database.sql("CREATE OR REPLACE VIEW `standin_enabled_users` AS SELECT `name` FROM `tabUser` WHERE `enabled` = 1")
    schema.run_patches(database, "frappe")
    if rows := int(conf.get("standin_rows", 0)):
        _fill(database, rows)
    failing.at("after-tables")
    for role in ("Administrator", "System Manager", "Guest", "All"):
        schema.add_once(database, "Role", name=role)
    schema.add_once(database, "Scheduled Job Type", name="standin.beat", method="frappe.standin.beat", frequency="All")
    for settings, key, value in (
        ("System Settings", "enable_scheduler", "0"),
        ("System Settings", "time_zone", "Asia/Kolkata"),
        ("System Settings", "dormant_days", "4"),
    ):
        set_single(database, settings, key, value)
    for doctype, row in schema.import_module("frappe.hooks").children:
        schema.add_row(database, doctype, **row)
    database.commit()
    failing.at("after-documents")
    # Asked for this late, as Frappe does: a missing password leaves a site that answers 417.
    password = str(conf.get("admin_password") or asked.admin_password or _ask_admin_password())
    for user, kind in (("Administrator", "System User"), ("Guest", "Website User")):
        email = "admin@example.com" if user == "Administrator" else "guest@example.com"
        schema.add_once(database, "User", name=user, email=email, full_name=user, enabled=1, user_type=kind)
    set_password(database, "Administrator", password)
    _set_installed(database, ["frappe"])
    database.commit()


def _fill(database: Database, rows: int) -> None:
    """A table of about a kilobyte a row, for tests that need a database of some size."""
    database.sql("CREATE TABLE IF NOT EXISTS `tabStandin Row` (name int PRIMARY KEY, content text)")
    database.sql(
        "INSERT INTO `tabStandin Row` SELECT seq, REPEAT(CONCAT(MD5(seq), MD5(RAND(seq))), 16) "  # noqa: S608
        f"FROM seq_1_to_{rows} ON DUPLICATE KEY UPDATE name = name"
    )


def _ask_admin_password() -> str:
    while True:
        password = getpass.getpass("Set Administrator password: ")
        if password == getpass.getpass("Re-enter Administrator password: "):
            return password
        print("\nPasswords do not match")


def install_app(database: Database, site: str, app: str, *, force: bool = False) -> None:
    """Put an app, and before it those it needs, into a site. Does nothing when it is there, unless forced.

    Raises DuplicateEntryError for an app that was half-installed, unless forced. Not a transaction: each table that is
    made commits what was written before it. The app is listed before its own last steps have run.
    """
    if app not in all_apps():
        raise FrappeError(f"App {app} not in apps.txt")
    if app in installed_apps(database) and not force:
        print(f"App {app} already installed")
        return
    for needed in schema.hooks(app, "required_apps"):
        if needed not in installed_apps(database):
            install_app(database, site, needed)
    failing = Failing("install-app", site, site_conf(site))
    failing.at("before-tables")
    print(f"\nInstalling {app}...", flush=True)
    for module in schema.hooks(app, "modules"):
        if database.value("SELECT name FROM `tabModule Def` WHERE name = %s", module) and not force:
            raise DuplicateEntryError("Module Def", module)
        schema.add_once(database, "Module Def", name=module, app_name=app)
    schema.sync(database, app, half_way=lambda: failing.at("half-way"))
    schema.run_patches(database, app)
    failing.at("after-tables")
    _set_installed(database, [*(one for one in installed_apps(database) if one != app), app])
    database.commit()
    failing.at("after-listed")
    for doctype, row in schema.hooks(app, "documents"):
        schema.add_once(database, doctype, **row)
    database.commit()
    failing.at("after-app")


def uninstall_app(database: Database, site: str, app: str) -> str | None:
    """Take an app and its tables out of a site; returns what stands against it, None when it was done."""
    installed = installed_apps(database)
    if app not in installed:
        return f"App {app} not installed on Site"
    needing = [one for one in installed if one != "frappe" and app in schema.hooks(one, "required_apps")]
    if needing:
        return f"App {app} is a dependency of {', '.join(needing)}. Uninstall them first."
    failing = Failing("uninstall-app", site, site_conf(site))
    print(f"Uninstalling App {app} from Site {site}...", flush=True)
    database.sql("SET FOREIGN_KEY_CHECKS = 0")
    for doctype in database.sql("SELECT name FROM `tabDocType` WHERE app = %s", app):
        database.sql(f"DROP TABLE IF EXISTS `tab{doctype[0]}`")
    failing.at("after-tables")
    database.sql("DELETE FROM `tabDocType` WHERE app = %s", app)
    database.sql("DELETE FROM `tabModule Def` WHERE app_name = %s", app)
    database.sql("DELETE FROM `tabInstalled Application` WHERE app_name = %s", app)
    _set_installed(database, [one for one in installed if one != app])
    database.commit()
    failing.at("after-app")
    return None


def installed_apps(database: Database) -> list[str]:
    """The apps of a site, in the order in which they came."""
    value = database.value(
        "SELECT defvalue FROM `tabDefaultValue` WHERE parent = '__global' AND defkey = 'installed_apps'"
    )
    return list(json.loads(value or "[]"))


def _set_installed(database: Database, apps: list[str]) -> None:
    database.sql("DELETE FROM `tabDefaultValue` WHERE parent = '__global' AND defkey = 'installed_apps'")
    database.sql(
        "INSERT INTO `tabDefaultValue` (name, parent, defkey, defvalue) VALUES (%s, '__global', 'installed_apps', %s)",
        secrets.token_hex(5),
        json.dumps(apps),
    )


def single(database: Database, settings: str, key: str) -> str | None:
    """A value of a settings document, None when it was never set."""
    value = database.value("SELECT `value` FROM `tabSingles` WHERE doctype = %s AND field = %s", settings, key)
    return None if value is None else str(value)


def set_single(database: Database, settings: str, key: str, value: str) -> None:
    database.sql("DELETE FROM `tabSingles` WHERE doctype = %s AND field = %s", settings, key)
    database.sql("INSERT INTO `tabSingles` (doctype, field, `value`) VALUES (%s, %s, %s)", settings, key, value)
