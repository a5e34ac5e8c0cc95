"""Bugs by which one tenant reaches what another has: databases, hosts, files, queues, passwords."""

from frappe_operator.bench import observe as bench_observe
from frappe_operator.kube import names
from frappe_operator.model import database as database_model
from frappe_operator.model import host
from frappe_operator.model import site as site_model
from frappe_operator.model.host_claims import HostClaims, HostGrants
from frappe_operator.runner import database
from frappe_operator.runtime.apply.children import _Children
from tests.mutants.changes import always_false, always_true, argument, assigned, calls_instead, expression, returns
from tests.mutants.mutant import Mutant

CLAIMS = "unit/model/test_host_claims.py"
SITE = "unit/model/test_site.py"
DATABASE = "unit/model/test_database.py"

MUTANTS = [
    Mutant(
        "database-named-without-its-namespace",
        "A database's name is derived from the site's name alone: two tenants share one, and --force drops it.",
        database_model._database_prefix,
        argument("digest", 0, "name"),
        (f"{DATABASE}::test_no_text_that_a_tenant_writes_names_a_database_of_another",),
    ),
    Mutant(
        "any-retained-database-adopted",
        "A label on a Secret decides which database a site opens: a tenant writes another tenant's there.",
        site_model._origin,
        always_true("is_our_database"),
        (f"{DATABASE}::test_a_retained_database_is_taken_up_only_by_the_site_it_was_given_to",),
    ),
    Mutant(
        "grant-for-databases-of-others",
        "`_` in a GRANT is a wildcard: a site's user may open databases with similar names.",
        database.prepare,
        assigned("pattern", "site.database"),
        ("unit/runner/test_database.py::test_a_neighbour_s_database_stays_closed",),
    ),
    Mutant(
        "bench-of-another-namespace",
        "A site may reference a bench of anbench_namespace namespace.",
        site_model.bench_namespace_problem,
        always_true("bench_namespace namespace"),
        (f"{SITE}::test_a_site_lives_beside_its_bench",),
    ),
    Mutant(
        "host-taken-by-the-newer-site",
        "The last site to claim a host gets it: a shop is taken over by writing its name into a spec.",
        HostClaims.holder,
        calls_instead("iter", "reversed"),
        (f"{CLAIMS}::test_the_older_claim_wins_and_then_the_lesser_name",),
    ),
    Mutant(
        "host-given-away-again",
        "The operator forgets to whom it gave a host: one that comes within the same second is routed for a moment.",
        HostGrants.give,
        returns("None"),
        (f"{CLAIMS}::test_a_site_keeps_a_host_that_it_has_when_an_older_one_asks_for_it",),
    ),
    Mutant(
        "host-inside-the-wildcard-of-another",
        "A wildcard host claims nothing but itself: another tenant takes a host inside it, or around hosts of others.",
        host.overlap,
        returns("one == other"),
        ("world/test_wildcard_hosts.py::test_a_host_inside_the_wildcard_of_another_is_never_routed",),
    ),
    Mutant(
        "taken-host-in-the-proxy",
        "The proxy's map has every host of every site, whichever site it belongs to.",
        bench_observe._upstreams,
        always_true("owner"),
        ("world/test_host_conflicts.py::test_a_site_that_asks_for_the_host_of_another_loses_its_own_route",),
    ),
    Mutant(
        "queues-named-after-the-bench",
        "Queues are prefixed with the bench: one tenant's workers execute another's jobs.",
        site_model.resolve,
        expression(
            "bench_id(live.metadata.name, live.metadata.uid, recorded_bench_id)",
            "bench_id(bench.owner.name, bench.owner.uid, recorded_bench_id)",
        ),
        ("world/test_redis_queues.py::test_two_sites_of_a_bench_have_queues_of_their_own",),
    ),
    Mutant(
        "long-names-merely-truncated",
        "A long name is truncated and nothing more: two sites share a child.",
        names.child,
        assigned("tail", 'f"-{part}"'),
        ("unit/kube/test_names.py::test_two_owners_that_differ_where_their_names_are_cut_do_not_either",),
    ),
    Mutant(
        "secret-quoted-in-status",
        "The API server quotes the value it rejects, and the condition repeats it: a password in status.",
        _Children._attempt,
        always_false("kind SECRET"),
        ("runtime/apply/test_refusals.py::test_the_message_of_a_refused_secret_is_not_shown",),
    ),
]
