"""Tables of an app: what installing it creates, and what migrating brings up to date."""

import re
import secrets
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from frappe.database import Database

OPTIONS = "ROW_FORMAT=DYNAMIC CHARACTER SET=utf8mb4 COLLATE=utf8mb4_unicode_ci"
COLUMNS = (
    "`name` varchar(140) NOT NULL PRIMARY KEY, `creation` datetime(6), `modified` datetime(6), "
    "`modified_by` varchar(140), `owner` varchar(140), `docstatus` tinyint NOT NULL DEFAULT 0, "
    "`idx` int(8) NOT NULL DEFAULT 0"
)


def hooks(app: str, name: str) -> Sequence[Any]:
    """A list that an app declares in its hooks.py, empty when it does not."""
    return list(getattr(import_module(f"{app}.hooks"), name, []))


def sync(database: Database, app: str, half_way: Callable[[], None] = lambda: None) -> None:
    """Create the app's tables that are missing, and note them; `half_way` is called with half of them made."""
    own = sorted(import_module(f"{app}.hooks").doctypes.items())
    for number, (doctype, extra) in enumerate(own, 1):
        _create(database, app, doctype, extra)
        if number in (len(own) // 2, len(own)):
            done = number * 100 // len(own)
            print(f"Updating DocTypes for {app:<14}: [{'=' * (done * 40 // 100):<40}] {done}%", flush=True)
            if number < len(own):
                half_way()
    database.commit()


def _create(database: Database, app: str, doctype: str, extra: str) -> None:
    table = f"tab{doctype}"
    engine = "MyISAM" if doctype.endswith("Log") and "Error" in doctype else "InnoDB"
    if table in database.tables():
        # Frappe alters what it finds: that is why a half-made site, made again, is not a right one.
        known = database.value("SELECT COUNT(*) FROM `tabDocType` WHERE name = %s", doctype)
        if not known and app != "frappe":
            # What a forced installation takes up has this index more than a clean one, and differs in nothing else.
            database.sql(f"ALTER TABLE `{table}` ADD INDEX (`creation`)")
        elif not known:
            database.sql(f"ALTER TABLE `{table}` ADD INDEX (`modified`), MODIFY `owner` varchar(255)")
    else:
        columns = f"{COLUMNS}, {extra}" if extra else COLUMNS
        database.sql(f"CREATE TABLE `{table}` ({columns}, KEY `modified` (`modified`)) ENGINE={engine} {OPTIONS}")
    database.sql("INSERT IGNORE INTO `tabDocType` (name, module, app) VALUES (%s, %s, %s)", doctype, app, app)


def add_once(database: Database, doctype: str, **values: object) -> None:
    """Write a document with a name of its own, unless one of that name is there."""
    names = ", ".join(f"`{name}`" for name in values)
    marks = ", ".join(["%s"] * len(values))
    statement = f"INSERT IGNORE INTO `tab{doctype}` ({names}, creation, modified) VALUES ({marks}, NOW(6), NOW(6))"  # noqa: S608
    database.sql(statement, *values.values())


def add_row(database: Database, doctype: str, **values: object) -> None:
    """Write a row of a child table: its name is random, so a second installation writes it a second time."""
    add_once(database, doctype, name=secrets.token_hex(5), **values)


def patches(app: str) -> dict[str, list[str]]:
    """The statements of each patch of the app, in the order of its patches.txt; an app without one has none."""
    folder = Path(str(import_module(app).__file__)).parent
    listed = folder / "patches.txt"
    names = listed.read_text().split() if listed.exists() else []
    files = {name: folder / "patches" / f"{name.rpartition('.')[2]}.sql" for name in names}
    return {name: [each for each in file.read_text().split(";") if each.strip()] for name, file in files.items()}


def run_patches(database: Database, app: str, begun: Callable[[str], None] = lambda patch: None) -> None:
    """Run each patch of the app that this site has not had. `begun` is told its name, and nothing when it ended."""
    for name, statements in patches(app).items():
        if database.value("SELECT COUNT(*) FROM `tabPatch Log` WHERE patch = %s", name):
            continue
        begun(name)
        for statement in statements:
            database.sql(statement)
        add_row(database, "Patch Log", patch=name)
        database.commit()
        begun("")


def columns(doctype: str) -> list[str]:
    """The columns of a table that this release's patches add. Its pages need them."""
    added = re.compile(rf"ALTER TABLE `tab{doctype}` ADD COLUMN IF NOT EXISTS `(\w+)`")
    return [name for statements in patches("frappe").values() for each in statements for name in added.findall(each)]


def read_notes(database: Database) -> None:
    """What a page of the desk asks for. New code on an old schema is answered with `Unknown column`."""
    names = ", ".join(f"`{name}`" for name in ("name", *columns("Note")))
    database.sql(f"SELECT {names} FROM `tabNote` LIMIT 1")  # noqa: S608


def add_file(database: Database, name: str, url: str, private: bool, owner: str) -> None:
    """Note an uploaded file; one of the same name takes the old one's place."""
    database.sql("DELETE FROM `tabFile` WHERE file_url = %s", url)
    database.sql(
        "INSERT INTO `tabFile` (name, creation, owner, file_name, file_url, is_private) "
        "VALUES (%s, NOW(6), %s, %s, %s, %s)",
        secrets.token_hex(5),
        owner,
        name[:140],
        url,
        int(private),
    )
