"""Making a site: what the operator relies on, and what it must mend."""

from tests.standin.bench_under_test import Bench


def rows(bench: Bench, database: str, table: str) -> int:
    return int(bench.root_sql(f"SELECT COUNT(*) FROM `{table}`", database=database)[0][0])  # noqa: S608


def test_a_site_is_made_in_a_prepared_database_by_its_own_user(bench: Bench):
    name = bench.made("shop.example")
    tables = {row[0] for row in bench.root_sql("SHOW TABLES", database=name)}
    assert {"tabDefaultValue", "tabUser", "__Auth", "tabSessions", "web_form_list_column_id_seq"} <= tables
    assert bench.command("list-apps", site="shop.example").stdout == "frappe\n"


def test_a_site_that_exists_is_not_made_again(bench: Bench):
    name = bench.made("shop.example")
    again = bench.command("new-site", "shop.example", "--no-setup-db", "--db-name", name)
    assert again.returncode == 1
    assert "already exists" in again.stdout


def test_killed_half_way_and_forced_again_it_ends_well_with_a_wrong_site(bench: Bench):
    right = bench.made("right.example")
    name = bench.prepared("shop.example")
    killed = bench.new_site("shop.example", name, env={"STANDIN_FAIL": "new-site:after-documents:kill"})
    assert killed.returncode != 0
    again = bench.new_site("shop.example", name)
    assert again.returncode == 0, again.stdout + again.stderr
    for table in ("tabHas Role", "tabPortal Menu Item"):
        assert rows(bench, name, table) == 2 * rows(bench, right, table)

    def shape(database: str) -> list[list[str]]:
        return bench.root_sql("SHOW INDEX FROM tabUser", database=database)

    assert len(shape(name)) == len(shape(right)) + 1
