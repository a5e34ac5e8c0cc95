"""A fake of `env/bin/python -m frappe.utils.bench_helper frappe …` with the commands that the runner uses.

It changes the database through the `mariadb` client with the connection in site_config.json, on a fake or real server.
`$FRAPPE_FAILS` names a step and how it fails: `STEP:exit`, `:kill` (itself and its parent process), `:oom` (itself
only), `:hang`, `:lie` (skips the step and exits with 0) or `:tell` (prints its password). If the file `failed-before`
exists beside the fake, it does not fail again, unless `:always` follows.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

HERE = Path(os.environ["FAKES"])


def main(arguments):
    assert arguments[:3] == ["-m", "frappe.utils.bench_helper", "frappe"], arguments
    arguments = arguments[3:]
    site = ""
    if arguments[0] == "--site":
        site, arguments = arguments[1], arguments[2:]
    with open(HERE / "calls.jsonl", "a") as calls:
        calls.write(json.dumps([site, *arguments]) + "\n")
    {
        "new-site": new_site,
        "enable-scheduler": enable,
        "list-apps": list_apps,
        "install-app": install,
        "uninstall-app": uninstall,
        "migrate": migrate,
    }[arguments[0]](site or arguments[1], arguments)


def new_site(site, arguments):
    config = read(site)
    assert {"--force", "--no-setup-db", f"--db-name={config['db_name']}"} <= set(arguments), arguments
    assert config["admin_password"], "the admin password is asked for late, and nobody answers"
    print(f"Making a site; root of all evil: {config['db_password']} and {config['admin_password']}", flush=True)
    if os.path.exists("common_site_config.json"):
        print("Redis is", Path("common_site_config.json").read_text(), flush=True)
    sys.stderr.write("Updating DocTypes : [    ] 1%\rUpdating DocTypes : [====] 100%\n")
    fail("before-tables")
    # --force over a half-made database succeeds, with a wrong site.
    doubled = "tabUser" in tables(site)
    sql(site, "CREATE TABLE tabUser (name VARCHAR(140));" if not doubled else "CREATE TABLE doubled (id INT);")
    if fail("half-way") == "tell":
        sys.exit("Access denied: " + config["db_password"])
    sql(site, "CREATE TABLE tabDefaultValue (parent VARCHAR(140), defkey VARCHAR(140), defvalue TEXT);")
    sql(
        site,
        "CREATE SEQUENCE web_form_list_column_id_seq NOCACHE NOCYCLE; CREATE VIEW people AS SELECT * FROM tabUser;",
    )
    if fail("after-tables") != "lie":
        write_apps(site, ["frappe"])
    fail("at-the-end")


def enable(site, arguments):
    fail("enable-scheduler")
    (Path(site) / "scheduler-enabled").touch()


def list_apps(site, arguments):
    fail("list-apps")
    sys.stderr.write("WARN: hrms is fond of warnings\n")
    for app in apps(site):
        print(f"{app:10} 1.2.3 version-15" if app != "frappe" else "frappe")


def install(site, arguments):
    """Installs an app in several steps without a transaction. A half-installed app is listed, and rejected without
    --force."""
    app, force = arguments[1], "--force" in arguments[2:]
    state = Path(site) / f"fake-{app}.txt"
    if app in apps(site) and not force:
        print(f"App {app} already installed")
        return
    if fail("install-app") == "lie":
        return
    if state.exists() and not force:
        sys.exit(f"frappe.exceptions.DuplicateEntryError: ('Module Def', '{app}')")
    state.write_text("half")
    fail("install-half-way")
    write_apps(site, list(dict.fromkeys([*apps(site), app])))
    fail("install-after-listed")
    state.write_text("whole")


def uninstall(site, arguments):
    """Removes an app and its table without a transaction. What it refuses it only prints, as Frappe does."""
    app = arguments[1]
    assert arguments[2:] == ["--yes", "--no-backup"], "nobody answers, and the runner has the dump"
    listed = listed_apps(site)
    if app not in listed:
        print(f"App {app} not installed on Site {site}")
        return
    print(f"Uninstalling App {app} from Site {site}...", flush=True)
    if fail("before-removal") == "lie":
        print(f"App {app} is a dependency of crm. Uninstall crm first.")
        return
    sql(site, f"DROP TABLE IF EXISTS `tab{app}`;")
    fail("half-removed")
    write_apps(site, [each for each in listed if each != app])
    (Path(site) / f"fake-{app}.txt").unlink(missing_ok=True)
    fail("after-removal")


def migrate(site, arguments):
    """Runs two patches. What is not ended is not continued: the next run finds a table that it wants to create."""
    if "tabPatched" in tables(site):
        print("Nothing to do")
        return
    config = read(site)
    print(f"\x1b[32mMigrating {site}\x1b[0m", flush=True)
    (Path(site) / "site_config.json").write_text(json.dumps({**config, "maintenance_mode": 1}))
    fail("before-patches")
    print(f"Executing frappe.patches.v15.first in {site} (db)", flush=True)
    sql(site, "CREATE TABLE `tabFirst` (id INT);")
    print("Success: Done in 0.01s", flush=True)
    fail("between-patches")
    print(f"Executing frappe.patches.v15.second in {site} (db)", flush=True)
    sql(site, "CREATE TABLE `tabSecond` (id INT); DROP VIEW IF EXISTS `people`;")
    if fail("in-a-patch") == "tell":
        for number in range(30):
            sys.stderr.write(f"  File patch.py, line {number} \u2603 {'x' * 300}\n")
        sys.exit(f'pymysql.err.OperationalError: (1045, "Access denied with {config["db_password"]}")')
    if fail("in-a-patch-the-database-goes") == "lie":
        sys.exit("pymysql.err.OperationalError: (2013, 'Lost connection to MySQL server during query')")
    if fail("redis-goes") == "lie":
        sys.exit("redis.exceptions.ConnectionError: Error 111 connecting to redis:6379. Connection refused.")
    print("Success: Done in 0.01s", flush=True)
    sql(site, "CREATE TABLE `tabPatched` (id INT);")
    (Path(site) / "site_config.json").write_text(json.dumps({**config, "maintenance_mode": 0}))
    fail("after-patches")


def fail(step):
    where, _, how = os.environ.get("FRAPPE_FAILS", "").partition(":")
    how, _, always = how.partition(":")
    once = HERE / "failed-before"
    if where != step or (once.exists() and not always):
        return None
    once.touch()
    if how == "exit":
        sys.exit("Traceback: it went wrong at " + step)
    if how == "kill":
        os.killpg(0, signal.SIGKILL)
    if how == "oom":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "hang":
        signal.signal(signal.SIGTERM, lambda *_: ((HERE / "sigterm-received").touch(), os._exit(143)))
        print("hanging", flush=True)
        signal.pause()
    return how


def read(site):
    return json.loads((Path(site) / "site_config.json").read_text())


def apps(site):
    return json.loads((Path(site) / "fake-apps.json").read_text())


def write_apps(site, names):
    (Path(site) / "fake-apps.json").write_text(json.dumps(names))
    listed = json.dumps(names)
    sql(site, "DELETE FROM `tabDefaultValue`;")
    sql(site, f"INSERT INTO `tabDefaultValue` VALUES ('__global', 'installed_apps', '{listed}');")  # noqa: S608


def listed_apps(site):
    found = sql(site, "SELECT HEX(defvalue) FROM `tabDefaultValue` WHERE defkey = 'installed_apps';")
    return json.loads(bytes.fromhex(found.strip()))


def tables(site):
    return sql(
        site,
        "SELECT HEX(TABLE_NAME), TABLE_TYPE, HEX(TABLE_COMMENT) FROM information_schema.TABLES "
        "WHERE TABLE_SCHEMA = DATABASE();",
        lambda out: [bytes.fromhex(line.split()[0]).decode() for line in out.splitlines()],
    )


def sql(site, statements, parsed=str):
    config = read(site)
    options = os.memfd_create("options")
    os.fchmod(options, 0o600)
    names = {"host": "db_host", "port": "db_port", "user": "db_name", "password": "db_password", "database": "db_name"}
    lines = ["[client]", *(f'{option}="{config[key]}"' for option, key in names.items())]
    os.write(options, "\n".join(lines).encode())
    done = subprocess.run(
        ["mariadb", f"--defaults-extra-file=/dev/fd/{options}", "--batch", "--skip-column-names", "--protocol=tcp"],
        input=statements,
        text=True,
        stdout=subprocess.PIPE,
        pass_fds=[options],
        check=True,
    )
    return parsed(done.stdout)


main(sys.argv[1:])
