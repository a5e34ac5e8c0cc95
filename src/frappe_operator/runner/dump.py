"""Dumps of a site's database, made and restored by the database's own user.

A dump is a compressed file of SQL and, beside it, a record in JSON that is written last: without its record a dump is
not complete. To restore means that afterwards the database contains what it contained, and nothing else.
"""

import datetime
import errno
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from . import child, durable, schema, sql
from .credentials import Connection
from .log import say
from .outcome import Blocked, Retry, Stopped
from .sql import Refused, identifier, query, text

STALL = 1800
"""Seconds without progress after which a dump or a restore is given up: building an index can take long."""

OURS = "__frappe_operator"
"""Prefix of the tables of the runner, which are neither dumped nor dropped."""

RESERVE = 64 << 20
"""Bytes that stay free on the volume."""

_DUMP = (
    *("--protocol=tcp", "--single-transaction", "--quick", "--skip-lock-tables", "--routines", "--triggers"),
    *("--no-tablespaces", "--hex-blob", "--max-allowed-packet=1G"),
)
# Only the server's superuser may name another user, and the site's own user is the default.
_DEFINER = re.compile(
    rb"^(/\*!50013 |CREATE |/\*!50003 CREATE\*/ /\*!500(?:17|20) )DEFINER=`(?:[^`]|``)*`@`(?:[^`]|``)*`", re.MULTILINE
)
# Clients that are older than the one that wrote it do not know this line.
_SANDBOX = re.compile(rb"^/\*M?!999999\\- enable the sandbox mode \*/ *\n")
BEFORE, AFTER = 0, -1
"""Sections of a dump: settings and sequences; routines, and views whose tables exist."""

_TABLE = re.compile(rb"-- (?:Table|Temporary table|Temporary view) structure for ")
_LAST = re.compile(rb"-- (?:Dumping events|Dumping routines|Final view structure) ")
_SETTING = re.compile(rb"/\*!\d+ SET ")
_PREAMBLE = b"SET SESSION lock_wait_timeout = 60;\n"


def record_of(path: Path) -> Path:
    """The file beside a dump that records its checksum and sizes."""
    return path.with_name(f"{path.name}.json")


def is_complete(path: Path) -> bool:
    """Whether the dump was written to its end."""
    return path.exists() and record_of(path).exists()


def save(server: Connection, path: Path) -> dict[str, Any]:
    """Dumps the database into `path` and returns the record. Nothing is left behind when it fails.

    Raises Blocked when it cannot succeed (no space, no mariadb-dump, missing privileges, rows that the server would not
    take back), and Retry when the server cannot be reached.
    """
    objects = _objects(server)
    check_space(server, path.parent)
    packet, size = _sizes(server)
    durable.remove(record_of(path))
    temporary = path.with_name(f".{path.name}.new")
    try:
        with open(temporary, "wb") as file:
            written = _Written(file)
            _dump(server, objects, written)
            file.flush()
            os.fsync(file.fileno())
        if written.longest + (1 << 16) > packet:
            raise Blocked(
                "DatabaseRefused",
                f"Database {server.database} contains a row of {written.longest >> 20} MiB as SQL, which the server "
                f"would not take back: set its max_allowed_packet to more than {packet >> 20} MiB",
            )
        os.replace(temporary, path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _no_space(path.parent, size) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)
    durable.sync_folder(path.parent)
    record = {
        "database": server.database,
        "made": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "sha256": written.digest.hexdigest(),
        "bytes": written.size,
        "bytesOfSQL": written.length,
        "objects": dict(Counter(objects.values())),
    }
    durable.write(record_of(path), json.dumps(record, indent=1), 0o640)
    say(f"Dumped {len(objects)} tables: {written.length >> 10} KiB of SQL, {written.size >> 10} KiB compressed")
    return record


def check_space(server: Connection, folder: Path) -> None:
    """Raises Blocked when a dump of the database may not fit on the volume of a folder."""
    _, size = _sizes(server)
    # Compressed SQL takes far less than the tables, except for files in them.
    if shutil.disk_usage(folder).free < size // 2 + RESERVE:
        raise _no_space(folder, size)


def verify(path: Path) -> dict[str, Any]:
    """The record of a dump whose checksum is right. Raises Blocked: such a dump must not be restored."""
    try:
        record = json.loads(record_of(path).read_text(encoding="utf-8"))
        digest = hashlib.sha256()
        with open(path, "rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    except (FileNotFoundError, ValueError) as error:
        raise _damaged(path, "it is not complete") from error
    if not isinstance(record, dict) or record.get("sha256") != digest.hexdigest():
        raise _damaged(path, "its checksum differs from the recorded one")
    return record


def restore(server: Connection, path: Path) -> None:
    """Replaces the contents of the database by those of the dump. May be repeated after it was interrupted.

    Raises Blocked, before anything is changed, when the dump is damaged; Retry when the server cannot be reached; and
    Refused when the server rejects a statement.
    """
    record = verify(path)
    empty(server)
    say(f"Restoring {path.name}")
    try:
        _import_in_parts(server, path)
    except Refused as refusal:
        say(f"{refusal.message}. Restoring in the order of the dump")
        empty(server)
        _import(server, path, lambda section: True)
    if (found := dict(Counter(_objects(server).values()))) != record["objects"]:
        raise Retry("DumpFailed", f"The dump contains {record['objects']}, but the restored database {found}")


def empty(server: Connection) -> None:
    """Ends all other sessions of this user in the database, and drops everything in it but the runner's tables."""
    schema.end_sessions(server)
    schema.clear(server, _objects(server))
    drops = [f"DROP {kind} IF EXISTS {identifier(text(name))};" for kind, name in query(server, _ROUTINES)]
    if drops:
        query(server, "\n".join(drops))


_SIZES = (
    "SELECT @@global.max_allowed_packet, COALESCE(SUM(DATA_LENGTH), 0) FROM information_schema.TABLES "
    "WHERE TABLE_SCHEMA = DATABASE();"
)
# The body of a package goes with the package.
_ROUTINES = (
    "SELECT ROUTINE_TYPE, HEX(ROUTINE_NAME) FROM information_schema.ROUTINES "
    "WHERE ROUTINE_SCHEMA = DATABASE() AND ROUTINE_TYPE <> 'PACKAGE BODY';"
)


def _objects(server: Connection) -> dict[str, str]:
    found = schema.contents(server).objects
    return {name: kind for name, kind in found.items() if not name.startswith(OURS)}


def _sizes(server: Connection) -> tuple[int, int]:
    """The longest statement that the server accepts, and the bytes of all tables."""
    packet, size = query(server, _SIZES)[0]
    return int(packet), int(size)


def _no_space(folder: Path, size: int) -> Blocked:
    free = shutil.disk_usage(folder).free
    return Blocked(
        "StorageFailed",
        f"The volume of the site has {free >> 20} MiB left, too little for a dump of the database, whose tables have "
        f"{size >> 20} MiB: increase storage.size of the FrappeSite, or delete files of the site. Nothing was changed",
    )


def _dump(server: Connection, objects: dict[str, str], written: "_Written") -> None:
    ignored = schema.contents(server)
    names = [schema.MARK, *(name for name in ignored.objects if name not in objects)]
    skip = [f"--ignore-table={server.database}.{name}" for name in names]
    # The program does not know the option `database`.
    with sql.option_file(server._replace(database="")) as options:
        argv = [*sql.program("mariadb-dump", "mysqldump", options), *_DUMP, *skip, "--", server.database]
        try:
            ended = child.draw(argv, written.take, stall=STALL, pass_fds=[options])
        except subprocess.TimeoutExpired:
            raise sql.unavailable(server, f"no progress within {STALL} seconds") from None
    if ended.code != 0:
        trouble = _trouble(server, ended)
        raise Blocked("DatabaseRefused", trouble.message) if isinstance(trouble, Refused) else trouble
    written.end()
    if not written.complete:
        raise Retry("DumpFailed", "mariadb-dump exited with 0, but its output has no end")


class _Written:
    """The compressed file into which a dump is written line by line, without the names of definers."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._gzip = zlib.compressobj(1, zlib.DEFLATED, wbits=31)
        self._line = bytearray()
        self._end = b""
        self.digest = hashlib.sha256()
        self.length, self.size = 0, 0
        """Bytes of SQL, and of the file."""
        self.longest = 0
        """Length of the longest line: a row is never more than one."""

    def take(self, piece: bytes) -> None:
        whole, newline, rest = piece.rpartition(b"\n")
        if newline:
            self._write(bytes(self._line) + whole + newline)
            self._line.clear()
        self._line += rest

    def end(self) -> None:
        self._write(bytes(self._line))
        self._store(self._gzip.flush())

    @property
    def complete(self) -> bool:
        return self._end.rstrip().rpartition(b"\n")[2].startswith(b"-- Dump completed")

    def _write(self, lines: bytes) -> None:
        lines = _DEFINER.sub(rb"\1", lines)
        self.length += len(lines)
        self.longest = max(self.longest, *map(len, lines.split(b"\n")))
        self._end = (self._end + lines)[-512:]
        self._store(self._gzip.compress(lines))

    def _store(self, compressed: bytes) -> None:
        self.digest.update(compressed)
        self.size += len(compressed)
        self._file.write(compressed)


def _import_in_parts(server: Connection, path: Path) -> None:
    """Imports the tables with two clients: creating a table mostly waits for the disk, so it takes half the time."""
    # Tables may use sequences, views and routines may use tables.
    _import(server, path, lambda section: section == BEFORE)
    stop = threading.Event()
    troubles: list[Exception] = []

    def every_second(which: int) -> None:
        try:
            _import(server, path, lambda section: section > 0 and section % 2 == which, stop)
        except Exception as trouble:
            troubles.append(trouble)
            stop.set()

    threads = [threading.Thread(target=every_second, args=(which,), daemon=True) for which in (0, 1)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        stop.set()
    if troubles:
        raise troubles[0]
    _import(server, path, lambda section: section == AFTER)


def _import(server: Connection, path: Path, wanted: Callable[[int], bool], stop: threading.Event | None = None) -> None:
    """Imports the sections of a dump that are wanted, until the end or until `stop` is set."""
    with sql.option_file(server) as options:
        argv = [*sql.client(options), "--max-allowed-packet=1G"]
        try:
            ended = child.pour(argv, _statements(path, wanted, stop), stall=STALL, pass_fds=[options])
        except subprocess.TimeoutExpired:
            raise sql.unavailable(server, f"no progress within {STALL} seconds") from None
    if ended.code != 0:
        raise _trouble(server, ended)


def _statements(path: Path, wanted: Callable[[int], bool], stop: threading.Event | None = None) -> Iterator[bytes]:
    """The wanted sections in large pieces, after the settings that all of them need."""
    piece = bytearray(_PREAMBLE)
    for section, line in _sections(path):
        if wanted(section) or (section == BEFORE and _SETTING.match(line)):
            piece += line
        if len(piece) >= 1 << 18:
            if stop is not None and stop.is_set():
                raise Retry("DumpFailed", "The restore was interrupted")
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)


def _sections(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a dump, each with the section in which it is: BEFORE the tables, the number of a table, or AFTER."""
    section, previous = BEFORE, b""
    with gzip.open(path, "rb") as file:
        for line in file:
            # In data, no line begins like this.
            if previous == b"--\n" and section != AFTER:
                if _TABLE.match(line):
                    section += 1
                elif _LAST.match(line):
                    section = AFTER
            previous = line
            if not _SANDBOX.match(line):
                yield section, line


def _trouble(server: Connection, ended: child.Ended) -> Stopped:
    """What the output of a MariaDB program says about its failure."""
    error = re.search(r"(?:ERROR|[Ee]rror:?) (\d+)(?: \(\w+\)(?: at line \d+)?)?: (.*)", ended.err)
    error = error or re.search(r"(?P<m>.*?) \((?P<c>\d+)\)$", ended.err, re.MULTILINE)
    if error is None and (denied := re.search(r"\w: (.* insufficient privileges .*)", ended.err)):
        return Blocked("DatabaseRefused", f"The database cannot be dumped by its user: {denied[1]}")
    if error is None:
        return Retry("DatabaseUnavailable", f"MariaDB's program {ended.how}")
    code, message = (error["c"], error["m"]) if "c" in error.re.groupindex else (error[1], error[2])
    if int(code) in sql.UNREACHABLE:
        return sql.unavailable(server, message)
    return Refused(int(code), message, 0)


def _damaged(path: Path, why: str) -> Blocked:
    return Blocked(
        "DumpFailed", f"The dump {path.name} of the database cannot be restored: {why}. The database was not changed"
    )
