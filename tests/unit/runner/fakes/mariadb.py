"""A fake MariaDB server and client in one program, as far as the runner and its tests use them.

The state is a JSON file, `$FAKE_MARIADB`. `$KILL_AT` in the environment works as in `fatal.py`.
"""

import fcntl
import json
import os
import re
import sys


class Error(Exception):
    pass


def main():
    dumping = "--single-transaction" in sys.argv
    options = {}
    path = sys.argv[1].partition("=")[2]
    if os.fstat(int(path.rsplit("/", 1)[1])).st_mode & 0o077:
        raise Error("1 (HY000): the options can be read by others")
    with open(path) as file:
        lines = file.read().splitlines()[1:]
    for line in lines:
        key, _, value = line.partition("=")
        options[key] = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
    if dumping:
        assert "database" not in options, "the real program does not know this option"
        options["database"] = sys.argv[-1]
    sql = "" if dumping else sys.stdin.read()
    if not os.path.exists(os.environ["FAKE_MARIADB"]):
        raise Error(f"2003 (HY000): Can't connect to server on '{options['host']}' (111)")
    with open(os.environ["FAKE_MARIADB"], "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        state = json.load(file)
        session = Session(state, options)
        if dumping:
            ignored = {each.partition(".")[2] for each in sys.argv if each.startswith("--ignore-table=")}
            print("\n".join(session.dump(ignored)))
            return
        try:
            for session.line, line in enumerate(sql.splitlines(), 1):
                for statement in re.split(r";\s*", line):
                    if statement and not statement.startswith("--"):
                        session.run(statement)
        finally:
            file.seek(0)
            file.truncate()
            json.dump(state, file)


class Session:
    def __init__(self, state, options):
        self.cipher = state.get("cipher", "") if "ssl" in options else ""
        if state.get("cipher") and "ssl" in options and options["ssl-ca"] not in state["trusted"]:
            raise Error("2026 (HY000): TLS/SSL error: self-signed certificate in certificate chain")
        self.state, self.user, self.database = state, options["user"], options.get("database", "")
        account = state["users"].get(self.user)
        if account is None or account["password"] != options["password"]:
            raise Error(f"1045 (28000): Access denied for user '{self.user}'@'10.0.0.9' (using password: YES)")
        self.account = account
        if self.database:
            self.may(self.database)
            if self.database not in state["databases"]:
                raise Error(f"1049 (42000): Unknown database '{self.database}'")
            self.here = state["databases"][self.database]

    def dump(self, ignored):
        yield "-- a dump of the fake"
        for name, (kind, comment) in self.here["objects"].items():
            if name not in ignored:
                word = next(word for word, of in TYPES.items() if of == kind)
                yield f"DROP {word} IF EXISTS `{name}`;"
                yield f"CREATE {word} `{name}` (id INT) COMMENT = '{comment}';"
        if self.here["apps"]:
            yield f"INSERT INTO `tabDefaultValue` VALUES ('__global', 'installed_apps', '{self.here['apps']}');"  # noqa: S608
        if not self.state.get("dumps are cut short"):
            yield "-- Dump completed on 2026-11-27"

    def may(self, database):
        if self.user != "root" and not any(opens(grant, database) for grant in self.account["grants"]):
            raise Error(f"1044 (42000): Access denied for user '{self.user}'@'%' to database '{database}'")

    def run(self, statement):
        for privilege in self.account.get("lacks", []):
            if statement.startswith(privilege.removesuffix("S")):
                raise Error(
                    f"1142 (42000) at line {self.line}: {privilege} command denied to user '{self.user}'@'10.0.0.9'"
                )
        for pattern, action in GRAMMAR:
            if match := re.fullmatch(pattern, statement):
                for row in action(self, *match.groups()) or ():
                    print("\t".join(row))
                return
        raise Error(f"1064 (42000) at line {self.line}: the fake does not know this statement: {statement}")

    def make(self, kind, name, comment):
        if name in self.here["objects"]:
            raise Error(f"1050 (42S01) at line {self.line}: Table '{name}' already exists")
        self.here["objects"][name] = [kind, comment or ""]

    def tables(self):
        for name, (kind, comment) in self.here["objects"].items():
            yield name.encode().hex(), kind, comment.encode().hex()

    def create_database(self, name, charset):
        self.state["databases"].setdefault(name, {"charset": charset or "latin1", "objects": {}, "apps": None})

    def create_user(self, name, password):
        self.state["users"].setdefault(name, {"password": unescaped(password), "grants": []})

    def installed(self):
        if "tabDefaultValue" not in self.here["objects"]:
            raise Error(f"1146 (42S02) at line {self.line}: Table 'tabDefaultValue' doesn't exist")
        return [[self.here["apps"].encode().hex()]] if self.here["apps"] else []


def opens(grant, database):
    """Whether the pattern of a GRANT matches a database name: `_` matches any character, `%` any number of them."""
    parts = re.findall(r"\\.|.", grant)
    wild = {"_": ".", "%": ".*"}
    return re.fullmatch("".join(wild.get(each) or re.escape(each[-1]) for each in parts), database)


def unescaped(text):
    return re.sub(r"\\(.)", r"\1", text)


TYPES = {"TABLE": "BASE TABLE", "VIEW": "VIEW", "SEQUENCE": "SEQUENCE"}
GRAMMAR = [
    (r"SET SESSION .*", lambda s: None),
    (r"SELECT 1", lambda s: [["1"]]),
    (
        r"SELECT ID FROM information_schema.PROCESSLIST.*",
        lambda s: [[str(each)] for each in s.here.get("sessions", [])],
    ),
    (r"KILL CONNECTION (\d+)", lambda s, session: s.here["sessions"].remove(int(session))),
    (r"SHOW SESSION STATUS LIKE 'Ssl_cipher'", lambda s: [["Ssl_cipher", s.cipher]]),
    (r"SELECT VERSION\(\)", lambda s: [[s.state["version"]]]),
    (r"SELECT @@char.*", lambda s: [[s.here["charset"], s.here["charset"] + "_general_ci"]]),
    (r"SELECT HEX\(TABLE_NAME\).*", Session.tables),
    (r"SELECT ROUTINE_TYPE.*", lambda s: []),
    (
        r"SELECT @@global.max_allowed_packet.*",
        lambda s: [[str(s.state.get("packet", 16 << 20)), str(s.here.get("size", 1 << 20))]],
    ),
    (r"SELECT HEX\(defvalue\) FROM `tabDefaultValue`.*", Session.installed),
    (
        r"CREATE (TABLE|VIEW|SEQUENCE) `?(\w+)`?(?:(?! COMMENT).)*(?: COMMENT = '(.*)')?",
        lambda s, kind, name, comment: s.make(TYPES[kind], name, comment),
    ),
    (r"DROP (?:TABLE|VIEW|SEQUENCE) IF EXISTS `?(\w+)`?", lambda s, name: s.here["objects"].pop(name, None) and None),
    (r"CREATE DATABASE (?:IF NOT EXISTS )?`(\w+)`(?: CHARACTER SET (\w+))?.*", Session.create_database),
    (r"CREATE USER (?:IF NOT EXISTS )?'(.+?)'@'%' IDENTIFIED BY '(.*)'", Session.create_user),
    (
        r"ALTER USER '(.+?)'@'%' IDENTIFIED BY '(.*)'",
        lambda s, name, password: s.state["users"][name].update(password=unescaped(password)),
    ),
    (
        r"GRANT ALL PRIVILEGES ON `(.+)`\.\* TO '(.+)'@'%'",
        lambda s, name, user: s.state["users"][user]["grants"].append(name),
    ),
    (r"DROP DATABASE IF EXISTS `(\w+)`", lambda s, name: s.state["databases"].pop(name, None) and None),
    (r"DROP USER IF EXISTS '(.+)'@'%'", lambda s, name: s.state["users"].pop(name, None) and None),
    (
        r"REVOKE (.+) ON `(?:\w+)`\.\* FROM '(.+)'@'%'",
        lambda s, what, user: s.state["users"][user].setdefault("lacks", []).append(what),
    ),
    (r"INSERT INTO `tabDefaultValue` .*, '(.+)'\)", lambda s, apps: s.here.update(apps=apps)),
    # What check-database tries besides: only that it is allowed matters here.
    (r"(?:ALTER TABLE|CREATE INDEX|INSERT|UPDATE|SELECT|LOCK|UNLOCK|DELETE|CREATE TEMPORARY) ?.*", lambda s: None),
]

if __name__ == "__main__":
    try:
        main()
    except Error as error:
        sys.exit(f"ERROR {error}")
