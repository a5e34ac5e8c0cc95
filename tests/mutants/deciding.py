"""Bugs of what is decided: names that two share, hosts that go to the wrong one, references that lead elsewhere."""

from tests.mutants.mutant import Mutant

SITE = "unit/model/test_site.py"
DOMAIN = "unit/model/test_domain.py"
NAMES = "unit/kube/test_names.py"
SITES = "world/test_sites.py"

MUTANTS = [
    Mutant(
        "database-named-without-its-namespace",
        "A database's name comes from the site's name alone: two tenants share one, and --force drops the other's.",
        "model/site.py",
        "digest(f'{namespace}/{name}', 16)",
        "digest(name, 16)",
        (f"{SITE}::test_no_text_that_a_tenant_writes_names_a_database_of_another",),
    ),
    Mutant(
        "database-named-without-its-uid",
        "A site that is made anew gets the database of the one before, whose files are gone.",
        "model/site.py",
        "{digest(uid, 8)}",
        "{digest(name, 8)}",
        (f"{SITE}::test_two_sites_never_share_a_database",),
    ),
    Mutant(
        "any-retained-database-taken-up",
        "A label on a Secret decides which database a site opens: a tenant writes a neighbour's there.",
        "model/site.py",
        "if retained and not is_our_database(retained, meta.namespace, meta.name):",
        "if False:",
        (f"{SITE}::test_a_retained_database_is_taken_up_only_by_the_site_it_was_given_to",),
    ),
    Mutant(
        "bench-of-another-namespace",
        "A site may name a bench of another namespace.",
        "model/site.py",
        "if elsewhere not in (None, live.metadata.namespace):",
        "if False:",
        (f"{SITE}::test_a_site_lives_beside_its_bench",),
    ),
    Mutant(
        "younger-claim-takes-the-host",
        "The last one to want a host gets it: a shop is taken over by writing its name into a spec.",
        "model/domain.py",
        "best = min(claims, default=None)",
        "best = max(claims, default=None)",
        (f"{DOMAIN}::test_the_older_claim_wins_and_then_the_lesser_name",),
    ),
    Mutant(
        "host-in-capitals-is-another",
        "SHOP.example.com is another host than shop.example.com: two sites have one.",
        "model/domain.py",
        'host.lower().rstrip(".")',
        'host.rstrip(".")',
        (f"{DOMAIN}::test_one_host_has_one_spelling",),
    ),
    Mutant(
        "host-found-by-one-spelling-only",
        "A host that comes about from siteName and suffix does not meet the domain that another names.",
        "model/domain.py",
        "        for name in names:\n            found += self.cache.select(SITE, NAME_INDEX, name)\n",
        "",
        (f"{DOMAIN}::test_a_host_that_comes_about_in_two_ways_is_one_host",),
    ),
    Mutant(
        "loser-routed",
        "A site whose host is another's gets its Ingress all the same.",
        "site/stages.py",
        "[] if seen.taken else ingress.build(site)",
        "ingress.build(site)",
        (f"{SITES}::test_the_older_of_two_sites_has_the_host",),
    ),
    Mutant(
        "loser-in-the-map",
        "The proxy's map has every site's hosts, whoever they belong to.",
        "bench/observe.py",
        "for host in wanted.hosts if hosts.holder(host) == key]",
        "for host in wanted.hosts]",
        (f"{SITES}::test_a_site_that_asks_for_the_host_of_another_loses_its_own_route",),
    ),
    Mutant(
        "next-in-line-not-told",
        "When a host becomes free, the site that waits for it is not looked at.",
        "site/controller.py",
        "yield from (other.metadata.key for other in hosts.claimants(host))",
        "yield from ()",
        (f"{SITES}::test_a_host_that_becomes_free_goes_to_the_next_whatever_its_bench",),
    ),
    Mutant(
        "digest-not-padded",
        "A hash is a number in hexadecimal, without its leading zeros: one name in sixteen is a digit short.",
        "kube/names.py",
        "hashlib.sha256(text.encode()).hexdigest()[:length]",
        'f"{int(hashlib.sha256(text.encode()).hexdigest()[:length], 16):x}"',
        (f"{NAMES}::test_a_digest_has_its_length_whatever_it_is_of",),
    ),
    Mutant(
        "names-of-any-length",
        "A child's name may be over 63 characters: the Job is refused, for ever.",
        "kube/names.py",
        "if len(name) <= limit:",
        "if name:",
        (f"{NAMES}::test_a_childs_name_is_a_dns_label_within_its_limit",),
    ),
    Mutant(
        "long-names-merely-cut",
        "A long name is cut and nothing more: two sites share a child.",
        "kube/names.py",
        'tail = f"-{digest(name)}-{part}"',
        'tail = f"-{part}"',
        (f"{NAMES}::test_two_owners_that_differ_where_their_names_are_cut_do_not_either",),
    ),
    Mutant(
        "second-scheduler",
        "The scheduler has as many pods as the spec says: each job runs twice.",
        "model/site.py",
        '1 if component == "scheduler" else ',
        "",
        (f"{SITE}::test_the_scheduler_is_one_and_other_counts_are_the_sites_else_the_benchs_else_one",),
    ),
    Mutant(
        "image-run-before-it-was-looked-into",
        "Sites run a new image before its assets are published: pages without styles.",
        "model/bench.py",
        "return Image(self.facts.reference, self",
        "return Image(self.image.reference, self",
        ("unit/model/test_bench.py::test_sites_run_the_image_that_was_looked_into_until_the_new_one_was",),
    ),
    Mutant(
        "queues-of-the-bench",
        "Queues are prefixed by the bench: one tenant's workers run another's jobs.",
        "model/site.py",
        '`rq:queue:<bench_id>:<queue>`."""\n        return self.owner.name',
        '`rq:queue:<bench_id>:<queue>`."""\n        return self.bench.bench',
        (f"{SITES}::test_two_sites_of_a_bench_have_queues_of_their_own",),
    ),
]
