"""The problems that `validate` prints, with their lines."""

from collections.abc import Callable

import pytest

from tests.unit.cli.conftest import Run

BENCH = """\
apiVersion: vyogo.tech/v1alpha1
kind: FrappeBench
metadata:
  name: pier
spec:
  frappeVersion: version-15
"""
SITE = """\
apiVersion: vyogo.tech/v1alpha1
kind: FrappeSite
metadata:
  name: pearl
spec:
  benchRef:
    name: pier
  siteName: pearl.example.net
"""
SECRET = """\
apiVersion: v1
kind: Secret
metadata: {name: tides}
stringData: {host: db, port: 3306, database: sea, username: captain, password: swordfish}
"""
EXTERNAL = "  dbConfig: {mode: external, connectionSecretRef: {name: tides}}\n"

Write = Callable[[str], str]


def test_valid_objects_are_counted(run: Run, file: Write) -> None:
    assert run("validate", file(f"{BENCH}---\n{SITE}")) == (0, "2 objects are valid\n")
    assert run("validate", file(BENCH)) == (0, "1 object is valid\n")
    assert run("validate", "-", given=BENCH) == (0, "1 object is valid\n")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (SITE + "  domian: x\n", 9, 'spec.domian: unknown field "spec.domian" (did you mean domain?)'),
        (SITE.replace("siteName", "sitename"), 8, 'unknown field "spec.sitename" (did you mean siteName?)'),
        (SITE.replace("siteName", "sitename"), 5, "spec.siteName: Required value (Name of the site in Frappe"),
        (
            SITE.replace("pearl.example.net", "Pearl"),
            8,
            'spec.siteName: Invalid value: "Pearl": must be a host name in lowercase',
        ),
        (
            SITE.replace("pearl.example.net", "assets"),
            5,
            "spec: Invalid value: siteName is a name that Frappe reserves",
        ),
        (SITE.replace("name: pier", "name: 5"), 7, 'must be of type string: "integer" (write it in quotes: "5")'),
        (SITE + "  deletionPolicy: Keep\n", 9, 'Unsupported value: "Keep": supported values: "Delete", "Retain"'),
        (SITE + "  dbConfig:\n    mode: external\n", 9, "connectionSecretRef is required with mode: external"),
        (SITE + "  aliases: [a.net, b.net, a.net]\n", 9, 'spec.aliases[2]: Duplicate value: "a.net"'),
        (SITE + "  componentReplicas: {socketio: 6}\n", 9, "should be less than or equal to 5"),
        (
            SITE + "  storage:\n    size: 5 GB\n",
            10,
            'spec.storage.size: Invalid value: "5 GB": must be a quantity such as 5Gi',
        ),
        (SITE.replace("name: pearl", "name: 1pearl"), 4, "metadata.name: Invalid value: metadata.name is part of"),
        (
            SITE.replace("  name: pearl\n", "  labels: {a: 1}\n  name: pearl\n"),
            4,
            'metadata.labels.a: Invalid value: "integer"',
        ),
        (SITE.replace("FrappeSite", "FrapeSite"), 2, 'no matches for kind "FrapeSite"'),
        (SITE.replace("kind: FrappeSite\n", ""), 1, "Object 'Kind' is missing"),
        (
            BENCH + "  appsJSON: '[erpnext]'\n",
            7,
            'spec.appsJSON: Invalid value: "[erpnext]": must be a JSON list of app names',
        ),
        (BENCH + "  appsJSON: '[]'\n  apps: []\n", 5, "apps and appsJSON are two ways to write the same list"),
        (
            BENCH.replace("version-15", "version-14"),
            6,
            "Frappe versions before 15 are not supported: use an image with Frappe 15 or newer",
        ),
        (
            BENCH + "  componentResources: {nginx: {requests: {cpu: 2}, limits: {cpu: 1}}}\n",
            7,
            "a request must not exceed the limit of the same resource",
        ),
        (
            SITE + "  domain: 10.0.0.7\n",
            9,
            'spec.domain: Invalid value: "10.0.0.7": must be a host name, not an IP address',
        ),
        (
            f"{BENCH}---\n{SITE}".replace("pearl.example.net", "'2024'"),
            15,
            "spec.siteName: siteName gives 2024, which is an address",
        ),
        (BENCH + "  imageConfig: {repository: 'r.example.com/erp:v1'}\n", 7, "set imageConfig.tag or"),
        (BENCH + "  redisConfig: {maxMemory: '512'}\n", 7, "must be an amount of memory with a unit"),
        (BENCH + f"  appsJSON: '{'[' * 8000}'\n", 7, "must be a JSON list of app names"),
        (
            BENCH + '  appsJSON: \'[{"name": "crm", "branch": "-main"}]\'\n',
            7,
            "a url must be an https or ssh URL",
        ),
        ("- a\n- b\n", 1, "not an object: write apiVersion, kind, metadata and spec"),
    ],
)
def test_a_problem_has_its_line_and_what_to_write(run: Run, file: Write, text: str, line: int, words: str) -> None:
    path = file(text)
    code, output = run("validate", path)
    assert code == 1
    assert any(each.startswith(f"{path}:{line}: ") and words in each for each in output.splitlines()), output
    assert "valid\n" not in output


def test_a_number_without_a_fraction_is_whole(run: Run, file: Write) -> None:
    assert run("validate", file(BENCH + "  componentReplicas: {gunicorn: 1.0, nginx: 2e0}\n"))[0] == 0
    code, printed = run("render", file(f"{BENCH}  componentReplicas: {{nginx: 2e0}}\n"))
    assert code == 0
    assert "\n  replicas: 2\n" in printed


def test_a_null_field_is_absent(run: Run, file: Write) -> None:
    nothing = "  domain: null\n  componentResources: {gunicorn: {limits: {memory: null}}, socketio: null}\n"
    assert run("validate", file(f"{BENCH}---\n{SITE}{nothing}")) == (0, "2 objects are valid\n")


def test_a_bench_in_another_namespace_is_a_problem(run: Run, file: Write) -> None:
    bench = BENCH.replace("  name: pier", "  name: pier\n  namespace: elsewhere")
    site = SITE.replace("    name: pier", "    name: pier\n    namespace: elsewhere")
    path = file(f"{bench}---\n{site}")
    code, output = run("validate", path)
    assert code == 1
    assert (
        f"{path}:16: spec.benchRef.namespace: benchRef.namespace is elsewhere, but a site and its bench must be"
        in output
    )
    code, output = run("validate", path, "--namespace", "elsewhere")
    assert (code, output) == (0, "2 objects are valid\n")


def test_a_site_whose_bench_is_not_valid_has_a_note_that_says_so(run: Run, file: Write) -> None:
    bench = BENCH.replace("version-15", "version-12")
    assert bench != BENCH
    code, output = run("validate", file(f"{bench}---\n{SITE}"))
    assert code == 1
    assert "FrappeBench pier is not valid; what depends on it is not checked" in output
    assert "not in the files" not in output


def test_a_site_without_its_bench_is_valid_with_a_note(run: Run, file: Write) -> None:
    code, output = run("validate", file(SITE))
    assert code == 0
    assert "FrappeBench pier of FrappeSite pearl is not in the files" in output
    assert "(namespace default)" in output
    assert output.endswith("1 object is valid\n")


def test_a_connection_secret_among_the_files_is_checked_but_never_printed(run: Run, file: Write) -> None:
    path = file(f"{BENCH}---\n{SECRET}---\n{SITE}{EXTERNAL}")
    code, output = run("validate", path)
    assert code == 1
    assert f"{path}:17: spec: Secret tides: Frappe 15 uses the database name as user name" in output
    assert "swordfish" not in output
    code, output = run("validate", file(f"{BENCH}---\n{SECRET.replace('captain', 'sea')}---\n{SITE}{EXTERNAL}"))
    assert (code, output) == (0, "note: objects of other kinds that were not checked: 1\n2 objects are valid\n")
    assert run("validate", file(f"{BENCH}---\n{SITE}{EXTERNAL}"))[0] == 0, "it may be in the cluster"


def test_one_host_of_two_sites_is_a_problem_of_both(run: Run, file: Write) -> None:
    other = (
        SITE.replace("name: pearl\n", "name: gull\n").replace("pearl.example.net", "gull")
        + "  domain: Pearl.Example.Net.\n"
    )
    path = file(f"{BENCH}---\n{SITE}---\n{other}")
    code, output = run("validate", path)
    assert code == 1
    assert f"{path}:15: spec.siteName: pearl.example.net is also a host of FrappeSite gull" in output
    assert f"{path}:25: spec.domain: pearl.example.net is also a host of FrappeSite pearl" in output


def test_a_bench_and_a_site_may_have_one_name(run: Run, file: Write) -> None:
    both = f"{BENCH}---\n{SITE}".replace("name: pearl\n", "name: pier\n")
    assert run("validate", file(both)) == (0, "2 objects are valid\n")


def test_an_object_declared_twice_is_a_problem_of_the_second(run: Run, file: Write) -> None:
    path = file(f"{BENCH}---\n{BENCH}")
    assert run("validate", path) == (
        1,
        f"{path}:11: metadata.name: declared twice, first at {path}:1: remove one of them\n",
    )


def test_all_problems_are_printed_at_once(run: Run, file: Write) -> None:
    wrong = (
        SITE.replace("pearl.example.net", "Pearl")
        + "  domian: x\n  deletionPolicy: keep\n  dbConfig: {mode: external}\n"
    )
    code, output = run("validate", file(wrong))
    lines = [int(each.split(":")[1]) for each in output.splitlines()]
    assert (code, lines) == (1, [8, 9, 10, 11])


def test_what_cannot_be_read_is_an_error_and_no_traceback(run: Run, file: Write) -> None:
    path = file("a: [")
    code, output = run("validate", path)
    assert code == 1
    assert output.startswith(f"error: {path}:")


@pytest.mark.parametrize(
    "other",
    [
        "apiVersion: {}\nkind: []\n",
        "apiVersion: v1\nkind: Secret\nmetadata: [tides]\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: tides}\nstringData: []\ndata: {host: '=', port: 5}\n",
        "apiVersion: v1\nkind: Secret\n",
        "? [a, b]\n: c\n1: 2\n",
    ],
)
def test_nothing_in_other_objects_is_relied_upon(run: Run, file: Write, other: str) -> None:
    _, output = run("validate", file(f"{other}---\n{BENCH}---\n{SITE}{EXTERNAL}"))
    assert output


def test_a_wildcard_and_a_host_inside_it_are_a_problem_of_both(run: Run, file: Write) -> None:
    bench = f"{BENCH}  domainConfig: {{allowWildcards: true}}\n"
    other = SITE.replace("name: pearl\n", "name: gull\n").replace("pearl.", "gull.") + "  aliases: ['*.example.net']\n"
    alone = SITE.replace("example.net", "example.com")
    assert run("validate", file(f"{bench}---\n{alone}---\n{other}")) == (0, "3 objects are valid\n")
    path = file(f"{bench}---\n{SITE}---\n{other}")
    code, output = run("validate", path)
    assert code == 1
    assert (
        f"{path}:16: spec.siteName: pearl.example.net and *.example.net exclude each other: it is one of Fra" in output
    )
    assert (
        f"{path}:26: spec.aliases: *.example.net and pearl.example.net exclude each other: it is one of Fra" in output
    )


def test_a_wildcard_that_the_bench_does_not_allow_is_a_problem(run: Run, file: Write) -> None:
    path = file(f"{BENCH}---\n{SITE}  aliases: ['*.shop.example.net']\n")
    code, output = run("validate", path)
    assert code == 1
    assert f"{path}:16: spec.aliases: " in output
    assert "set domainConfig.allowWildcards of the bench to true" in output


@pytest.mark.parametrize(
    ("field", "hint"),
    [
        ("domain: B\u00fccher.example", "write xn--bcher-kva.example"),
        ("aliases: ['*.b\u00fccher.example']", "write *.xn--bcher-kva.example"),
        ("redirects: [stra\u00dfe.example]", "write xn--strae-oqa.example"),
    ],
)
def test_a_name_in_another_alphabet_comes_with_its_punycode(run: Run, file: Write, field: str, hint: str) -> None:
    code, output = run("validate", file(f"{BENCH}---\n{SITE}  {field}\n"))
    assert code == 1
    assert "must be in ASCII: write an internationalised name in punycode" in output
    assert hint in output
    name = hint.removeprefix("write ")
    bench = f"{BENCH}  domainConfig: {{allowWildcards: true}}\n"
    written = f"aliases: ['{name}']"
    assert run("validate", file(f"{bench}---\n{SITE}  {written}\n")) == (0, "2 objects are valid\n")
