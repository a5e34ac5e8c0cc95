"""Bugs of how benches and sites go: data deleted without being asked, objects that never leave or leave too soon."""

from tests.mutants.mutant import Mutant

SITES = "world/test_sites.py"

MUTANTS = [
    Mutant(
        "deleted-without-being-asked",
        "A site's data goes with it unless someone says otherwise.",
        "site/cleanup.py",
        'deletion_policy: Literal["Retain", "Delete"] = "Retain"',
        'deletion_policy: Literal["Retain", "Delete"] = "Delete"',
        (f"{SITES}::test_a_site_that_is_kept_is_taken_up_again",),
    ),
    Mutant(
        "retain-drops-the-database",
        "The policy is looked at for the volume only: the database is dropped in any case.",
        "site/cleanup.py",
        'if wish.deletion_policy == "Delete":',
        "if wish.deletion_policy:",
        (f"{SITES}::test_a_site_that_is_kept_is_taken_up_again",),
    ),
    Mutant(
        "finalizer-never-set",
        "No finalizer: a site that is to be deleted with its data is gone before anyone has cleaned up.",
        "site/controller.py",
        "        await ensure_finalizer(cluster, SITE, live, SITE_FINALIZER)\n",
        "",
        (f"{SITES}::test_a_site_that_is_to_be_deleted_leaves_nothing",),
    ),
    Mutant(
        "finalizer-off-before-the-cleanup",
        "The finalizer is taken off first: whoever dies in between leaves the data behind.",
        "site/cleanup.py",
        "    await _stop(cluster, live)\n",
        "    await remove_finalizer(cluster, SITE, live, SITE_FINALIZER)\n    await _stop(cluster, live)\n",
        (f"{SITES}::test_a_site_stays_until_its_data_is_gone",),
    ),
    Mutant(
        "site-stuck-without-its-bench",
        "A site whose bench is gone waits for it to say that it may go.",
        "site/cleanup.py",
        "if server is None or facts is None or not isinstance(bench_live, Custom):\n        return gone",
        "if server is None or facts is None or not isinstance(bench_live, Custom):\n"
        '        return Verdict(False, Reason.BENCH_NOT_FOUND, "The bench is gone")',
        (f"{SITES}::test_a_site_goes_although_its_bench_was_torn_away",),
    ),
    Mutant(
        "invalid-site-never-goes",
        "Deletion needs a spec that is valid: a site with a broken one stays for ever.",
        "site/cleanup.py",
        "    except msgspec.MsgspecError:\n        return Wish()\n",
        "    except ArithmeticError:\n        return Wish()\n",
        (f"{SITES}::test_a_site_whose_spec_is_nonsense_goes_and_keeps_its_data",),
    ),
    Mutant(
        "others-secret-deleted",
        "What has the name of a site's Secret or claim is deleted with the site, whoever made it.",
        "site/cleanup.py",
        "if labels.get(MANAGED_BY) == CONTROLLED_BY_US and labels.get(SITE_LABEL) == key.name:",
        "if True:",
        (f"{SITES}::test_what_was_there_before_is_not_deleted_with_the_site_either",),
    ),
    Mutant(
        "database-dropped-under-a-worker",
        "The database is dropped while the site's workers still write: pods are not waited for.",
        "site/cleanup.py",
        "if pods := await _pods(cluster, key):",
        "if pods := ():",
        (f"{SITES}::test_a_database_is_dropped_when_the_last_pod_has_ended_and_not_before",),
    ),
    Mutant(
        "cleanup-stops-itself",
        "The Job that drops the database is taken for one of those that have to stop: it is made and deleted for ever.",
        "site/cleanup.py",
        "unfinished = isinstance(child, Job) and not succeeded(child) and name != spared",
        "unfinished = isinstance(child, Job) and not succeeded(child)",
        (f"{SITES}::test_a_site_stays_until_its_data_is_gone",),
    ),
    Mutant(
        "bench-goes-with-its-sites",
        "Deleting a bench takes the files of every tenant along.",
        "bench/cleanup.py",
        "    if sites:\n",
        "    if False:\n",
        (f"{SITES}::test_a_bench_with_sites_stays_until_they_are_gone",),
    ),
    Mutant(
        "bench-never-goes",
        "A bench counts the sites of all benches: it stays while there is any.",
        "bench/cleanup.py",
        '        if each["spec"].get("benchRef", {}).get("name") == name\n',
        "",
        (f"{SITES}::test_a_bench_goes_whatever_sites_another_has",),
    ),
    Mutant(
        "files-belong-to-their-owner",
        "The claim for a site's files has an owner reference: the garbage collector takes it, whatever the policy.",
        "components/storage.py",
        "claim(kept(site.owner",
        "claim(metadata(site.owner",
        (
            "unit/components/test_manifests.py::test_what_holds_data_belongs_to_nobody_whose_end_could_take_it_along",
            f"{SITES}::test_a_site_that_is_kept_is_taken_up_again",
        ),
    ),
    Mutant(
        "kept-secret-is-anybodys",
        "What has no owner is taken up whoever made it: the password that a tenant planted is Administrator's.",
        "runtime/apply.py",
        "return by_label and",
        "return by_label or",
        (
            "runtime/test_ownership.py::test_what_outlives_its_owner_is_not_taken_from_another",
            f"{SITES}::test_what_was_there_before_is_neither_taken_nor_changed",
        ),
    ),
    Mutant(
        "children-changes-unheard",
        "A site does not look again when a child of its changes: events of the site alone count.",
        "site/controller.py",
        "        yield Key(live.metadata.namespace, name)\n",
        "        yield from ()\n",
        (f"{SITES}::test_one_child_that_is_deleted_comes_back_at_once",),
    ),
]
