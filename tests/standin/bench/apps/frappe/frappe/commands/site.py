"""Commands that make, change and remove sites."""

import getpass
import json
import shutil
from pathlib import Path

import click

from frappe import installer, schema
from frappe.auth import set_password as write_password
from frappe.commands import Asked, asked
from frappe.conf import all_apps, bench_path, sites_path, write_key
from frappe.database import connected
from frappe.exceptions import FrappeError
from frappe.logs import open_log
from frappe.migrate import migrate_site
from frappe.utils import backups


@click.command("new-site")
@click.argument("site")
@click.option("--db-name")
@click.option("--db-password")
@click.option("--db-type", default="mariadb", type=click.Choice(["mariadb", "postgres"]))
@click.option("--db-host")
@click.option("--db-port", type=int)
@click.option("--db-socket")
@click.option("--db-root-username", "--mariadb-root-username")
@click.option("--db-root-password", "--mariadb-root-password")
@click.option("--mariadb-user-host-login-scope")
@click.option("--no-mariadb-socket", is_flag=True)
@click.option("--admin-password")
@click.option("--verbose", is_flag=True)
@click.option("--force", is_flag=True)
@click.option("--install-app", multiple=True)
@click.option("--set-default", is_flag=True)
@click.option("--setup-db/--no-setup-db", default=True)
def new_site(
    site: str,
    db_name: str | None,
    db_password: str | None,
    db_type: str,
    db_host: str | None,
    db_port: int | None,
    db_socket: str | None,
    db_root_username: str | None,
    db_root_password: str | None,
    mariadb_user_host_login_scope: str | None,
    no_mariadb_socket: bool,
    admin_password: str | None,
    verbose: bool,
    force: bool,
    install_app: tuple[str, ...],
    set_default: bool,
    setup_db: bool,
) -> None:
    """Create a new site"""
    if db_type != "mariadb" or db_socket:
        raise FrappeError("stand-in: only MariaDB by host and port")
    open_log(None)
    installer.new_site(
        installer.Request(
            site,
            force=force,
            setup_db=setup_db,
            db_name=db_name,
            db_password=db_password,
            db_type=db_type,
            db_host=db_host,
            db_port=db_port,
            login_scope=mariadb_user_host_login_scope or ("%" if no_mariadb_socket else None),
            root_username=db_root_username,
            root_password=db_root_password,
            admin_password=admin_password,
            apps=list(install_app),
        )
    )
    if set_default:
        write_key(sites_path() / "common_site_config.json", "default_site", site)


@click.command("install-app")
@click.argument("apps", nargs=-1)
@click.option("--force", is_flag=True)
@asked
def install_app(asked: Asked, apps: tuple[str, ...], force: bool) -> None:
    """Install apps on a site"""
    for site, conf in asked.each():
        with installer.filelock(sites_path() / site / "locks", "install_app"), connected(conf, site) as database:
            for app in apps:
                installer.install_app(database, site, app, force=force or asked.force)


@click.command("uninstall-app")
@click.argument("app")
@click.option("--yes", "-y", is_flag=True)
@click.option("--dry-run", is_flag=True)
@click.option("--no-backup", is_flag=True)
@click.option("--force", is_flag=True)
@asked
def uninstall_app(asked: Asked, app: str, yes: bool, dry_run: bool, no_backup: bool, force: bool) -> None:
    """Remove an app from a site"""
    for site, conf in asked.each():
        if app not in all_apps():
            raise FrappeError(f"No module named '{app}'")
        with connected(conf, site) as database:
            if not yes and not dry_run:
                click.confirm(
                    "All doctypes of this app will be deleted. Are you sure you want to continue?", abort=True
                )
            if not dry_run and not no_backup:
                backups.backup(site, conf)
            refused = None if dry_run else installer.uninstall_app(database, site, app)
        # Said in yellow and no more: the command ends with 0.
        click.secho(refused or f"Uninstalled App {app} from Site {site}", fg="yellow" if refused else "green")


@click.command("list-apps")
@click.option("--format", "-f", "form", default="text", type=click.Choice(["text", "json"]))
@asked
def list_apps(asked: Asked, form: str) -> None:
    """List the apps of a site"""
    listed = {}
    for site, conf in asked.each():
        with connected(conf, site) as database:
            documented = database.sql(
                "SELECT app_name, app_version, git_branch FROM `tabInstalled Application` ORDER BY idx"
            )
            apps = installer.installed_apps(database)
        listed[site] = [row[0] for row in documented]
        if form == "text":
            if len(asked.sites) > 1:
                click.secho(site, fg="green")
            for row in documented or [(app,) for app in apps]:
                print(" ".join(map(str, filter(None, row))))
    if form == "json":
        print(json.dumps(listed))


@click.command("migrate")
@click.option("--skip-failing", is_flag=True)
@click.option("--skip-search-index", is_flag=True)
@asked
def migrate(asked: Asked, skip_failing: bool, skip_search_index: bool) -> None:
    """Bring a site's schema and documents up to the apps that are there"""
    for site, conf in asked.each():
        click.secho(f"Migrating {site}", fg="green")
        migrate_site(site, conf, search_index=not skip_search_index)


@click.command("set-admin-password")
@click.argument("password", required=False)
@click.option("--logout-all-sessions", is_flag=True)
@asked
def set_admin_password(asked: Asked, password: str | None, logout_all_sessions: bool) -> None:
    """Set the Administrator's password"""
    _set_password(asked, "Administrator", password, logout_all_sessions)


@click.command("set-password")
@click.argument("user")
@click.argument("password", required=False)
@click.option("--logout-all-sessions", is_flag=True)
@asked
def set_password(asked: Asked, user: str, password: str | None, logout_all_sessions: bool) -> None:
    """Set a user's password"""
    _set_password(asked, user, password, logout_all_sessions)


def _set_password(asked: Asked, user: str, password: str | None, log_out: bool) -> None:
    for site, conf in asked.each():
        secret = password or getpass.getpass(f"{user}'s password for {site}> ")
        with connected(conf, site) as database:
            if not database.value("SELECT name FROM `tabUser` WHERE name = %s", user):
                raise FrappeError(f"User {user} does not exist")
            write_password(database, user, secret)
            if log_out:
                database.sql("DELETE FROM `tabSessions` WHERE user = %s", user)


@click.command("backup")
@click.option("--with-files", is_flag=True)
@click.option("--compress", is_flag=True)
@click.option("--backup-path", type=click.Path(path_type=Path))
@click.option("--backup-path-db", type=click.Path(path_type=Path))
@click.option("--backup-path-files", type=click.Path(path_type=Path))
@click.option("--backup-path-private-files", type=click.Path(path_type=Path))
@click.option("--backup-path-conf", type=click.Path(path_type=Path))
@click.option("--verbose", is_flag=True)
@asked
def backup(
    asked: Asked,
    with_files: bool,
    compress: bool,
    backup_path: Path | None,
    backup_path_db: Path | None,
    backup_path_files: Path | None,
    backup_path_private_files: Path | None,
    backup_path_conf: Path | None,
    verbose: bool,
) -> None:
    """Backup"""
    failed = []
    for site in asked.sites:
        try:
            for name, conf in Asked([site], asked.force).each():
                backups.backup(
                    name,
                    conf,
                    with_files=with_files,
                    compress=compress,
                    folder=backup_path,
                    named={
                        "database": backup_path_db,
                        "files": backup_path_files,
                        "private-files": backup_path_private_files,
                        "site_config_backup": backup_path_conf,
                    },
                )
        except Exception as error:
            failed.append(site)
            click.secho(
                f"Backup failed for Site {site}. Database or site_config.json may be corrupted\n{error}", fg="red"
            )
    if failed or not asked.sites:
        raise FrappeError("Please specify --site sitename" if not asked.sites else f"Failed: {', '.join(failed)}")


@click.command("drop-site")
@click.argument("site")
@click.option("--db-root-username", "--root-login")
@click.option("--db-root-password", "--root-password")
@click.option("--archived-sites-path", type=click.Path(path_type=Path))
@click.option("--no-backup", is_flag=True)
@click.option("--force", is_flag=True)
def drop_site(
    site: str,
    db_root_username: str | None,
    db_root_password: str | None,
    archived_sites_path: Path | None,
    no_backup: bool,
    force: bool,
) -> None:
    """Remove a site from database and file system"""
    _, conf = Asked([site], force).one()
    if not no_backup:
        try:
            print(f"Taking backup of {site}")
            backups.backup(site, conf, with_files=True)
        except Exception as error:
            if not force:
                raise FrappeError(
                    f"Error: The operation has stopped because backup of {site} failed\n{error}"
                ) from error
    root = installer.root_connection(conf, site, db_root_username, db_root_password)
    print("Dropping site database and user")
    # In this order: with the site's own user the database is gone before the second statement is refused.
    root.sql(f"DROP DATABASE IF EXISTS `{conf['db_name']}`")
    for host in ("%", str(root.value("SELECT USER()")).rpartition("@")[2]):
        root.sql("DROP USER IF EXISTS %s@%s", conf["db_name"], host)
    root.close()
    archive = archived_sites_path or bench_path() / "archived" / "sites"
    archive.mkdir(parents=True, exist_ok=True)
    target = archive / site
    number = 0
    while target.exists():
        number += 1
        target = archive / f"{site}{number}"
    shutil.move(sites_path() / site, target)


@click.command("version")
def version() -> None:
    """Show the versions of the bench's apps"""
    for app in all_apps():
        print(f"{app} {schema.import_module(app).__version__}")
