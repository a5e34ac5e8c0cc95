"""Bugs by which users lose data: databases, files, passwords, encryption keys, queued jobs."""

from frappe_operator.components import frappe, mariadb, storage
from frappe_operator.components.database import generated
from frappe_operator.model import image
from frappe_operator.runner import creation, database, dump, durable, layout, release, site_config, upgrade
from frappe_operator.site import cleanup, generated_secrets
from tests.mutants.changes import (
    always_false,
    always_true,
    assigned,
    calls_instead,
    expression,
    in_the_other_order,
    with_entry,
    without_call,
)
from tests.mutants.mutant import Mutant

CREATION = "unit/runner/test_creation.py"
DUMP, UPGRADE = "unit/runner/test_dump.py", "unit/runner/test_upgrade.py"
MANIFESTS = "unit/components/test_manifests.py"
TROUBLE = "world/test_failing_pods.py"

MUTANTS = [
    Mutant(
        "data-deleted-by-default",
        "A site's data is deleted with it unless the spec says otherwise.",
        cleanup.DeletionSpec,
        assigned("deletion_policy", '"Delete"'),
        ("world/test_site_deletion.py::test_a_site_that_is_kept_is_taken_up_again",),
    ),
    Mutant(
        "retain-drops-the-database",
        "The deletion policy is ignored: the database is dropped in any case.",
        cleanup.cleanup,
        assigned("deletes", "True"),
        ("world/test_site_deletion.py::test_a_site_that_is_kept_is_taken_up_again",),
    ),
    Mutant(
        "retained-data-taken-up-in-another-mode",
        "Files that were retained with a database of another mode are taken up with a new, empty database.",
        generated.secret_problem,
        assigned("problem", "''"),
        ("world/test_dedicated_database.py::test_retained_data_is_not_taken_up_in_another_mode",),
    ),
    Mutant(
        "server-of-a-site-ends-before-its-workers",
        "The pod of a site's own MariaDB counts among the pods of the site: a worker's job loses its database.",
        mariadb.of_site,
        expression("{SERVER_LABEL: server.name, COMPONENT_LABEL: DEDICATED_PART}", "selector(owner, DEDICATED_PART)"),
        ("world/test_dedicated_database.py::test_the_server_ends_after_the_last_worker",),
    ),
    Mutant(
        "files-owned-by-their-site",
        "The claim for a site's files has an owner reference: the garbage collector deletes it, whatever the policy.",
        storage.files,
        calls_instead("retained", "metadata"),
        (
            f"{MANIFESTS}::test_what_holds_data_belongs_to_nobody_whose_end_could_take_it_along",
            "world/test_site_deletion.py::test_a_site_that_is_kept_is_taken_up_again",
        ),
    ),
    Mutant(
        "lost-admin-password-generated-again",
        "A lost Secret of Administrator is generated again with a password that opens nothing.",
        generated_secrets.admin,
        always_false("is_created"),
        ("world/test_passwords.py::test_a_lost_admin_secret_is_not_made_again",),
    ),
    Mutant(
        "older-release-rolled-out",
        "A site whose data is of Frappe 15.102 gets pods with 15.51.",
        image.refusal,
        always_false("older"),
        ("world/test_images.py::test_an_image_that_the_sites_cannot_run_is_refused_and_they_stay_on_theirs",),
    ),
    Mutant(
        "finished-jobs-expire",
        "Jobs have a TTL: the one that created the site is gone after an hour, and runs again on a live site.",
        frappe.job,
        with_entry("completions", "ttlSecondsAfterFinished", "3600"),
        (f"{MANIFESTS}::test_jobs_are_never_taken_away_and_two_pods_of_one_never_run_at_once",),
    ),
    Mutant(
        "site-created-twice",
        "new-site runs again on a site that exists: with --force it drops everything.",
        creation.create,
        assigned("made", "False"),
        (f"{CREATION}::test_the_second_time_it_is_found_and_left_alone",),
    ),
    Mutant(
        "marked-as-created-too-early",
        "The marker that says that the site was created is written before the work: a partial site looks complete.",
        creation.create,
        in_the_other_order("_copy_or_make", "mark_made"),
        (f"{CREATION}::test_what_was_cut_short_is_cleaned_and_made_anew",),
    ),
    Mutant(
        "created-on-a-partial-site",
        "new-site runs on what an interrupted attempt left: it succeeds, with rows doubled.",
        creation._claim,
        without_call("clear"),
        (f"{CREATION}::test_what_was_cut_short_is_cleaned_and_made_anew",),
    ),
    Mutant(
        "database-with-data-cleared",
        "A database with data, with a volume that knows nothing of it, is taken for a partial site and cleared.",
        creation._claim,
        always_false("owner objects"),
        (f"{CREATION}::test_a_database_with_data_is_not_touched_when_the_volume_is_new",),
    ),
    Mutant(
        "two-create-one-site",
        "Two pods of one Job create the site at the same time.",
        creation.create,
        expression('durable.locked(directory / paths.OURS / "lock", durable.SITE_LOCK_SECONDS)', 'open("/dev/null")'),
        (f"{CREATION}::test_two_at_once_make_one_site",),
    ),
    Mutant(
        "encryption-key-lost",
        "site_config.json is written with our keys alone: the encryption key is lost, and every stored password.",
        site_config.merge,
        expression("{**before, **changes}", "changes"),
        (f"{CREATION}::test_a_kept_site_gets_its_new_connection_and_keeps_its_encryption_key",),
    ),
    Mutant(
        "root-drops-any-database",
        "With root's privileges whatever the Secret names is created or dropped: `mysql` too.",
        database._ours,
        always_false("NAME username"),
        ("unit/runner/test_database.py::test_with_root_s_rights_only_names_that_the_operator_gave_are_touched",),
    ),
    Mutant(
        "files-written-in-place",
        "site_config.json is written in place: a pod that is killed meanwhile leaves half of it.",
        durable.write,
        expression("os.replace(temporary, path)", "(path.write_text(text), path.chmod(mode), os.unlink(temporary))"),
        (f"{CREATION}::test_killed_at_any_moment_it_ends_as_one_whole_site",),
    ),
    Mutant(
        "killed-migration-continued",
        "A migrate that was killed half-way is run again on what it left.",
        upgrade._Upgrade._settle,
        always_true("state UNDER_WAY"),
        (f"{UPGRADE}::test_a_migration_that_was_killed_is_undone_and_begun_anew",),
    ),
    Mutant(
        "failed-migration-not-undone",
        "The database stays as a failed migrate has left it, and the old pods run on it.",
        upgrade._Upgrade.run,
        without_call("_restore"),
        (f"{UPGRADE}::test_whatever_fails_the_site_is_as_it_was",),
    ),
    Mutant(
        "upgrade-committed-before-migrate",
        "The site counts as migrated before it is: after a kill, new pods run on the old database.",
        upgrade._Upgrade._change,
        expression(
            'self._run("migrate", timeout=timeout)',
            '(releases.record(self.directory, self.release, self.record["run"]), self._run("migrate", timeout=9))[1]',
        ),
        (f"{UPGRADE}::test_a_migration_that_was_killed_is_undone_and_begun_anew",),
    ),
    Mutant(
        "migrated-without-a-note",
        "That a migration has begun is not recorded: after a kill nobody knows that it must be undone.",
        upgrade._Upgrade._change,
        without_call("_note"),
        (f"{UPGRADE}::test_a_migration_that_was_killed_is_undone_and_begun_anew",),
    ),
    Mutant(
        "failed-attempt-repeated",
        "A migration that failed is tried again and again, with the site in maintenance each time.",
        upgrade._Upgrade.run,
        always_false("state failed"),
        (f"{UPGRADE}::test_an_attempt_that_has_failed_is_reported_again_and_not_repeated",),
    ),
    Mutant(
        "new-code-on-the-old-database",
        "A pod of another release than the database starts.",
        release.check_image,
        expression("present.get(app, migrated)", "migrated"),
        (f"{UPGRADE}::test_a_pod_of_another_release_does_not_start",),
    ),
    Mutant(
        "pod-starts-during-an-upgrade",
        "A pod starts on a database that is being migrated or restored.",
        layout.layout,
        always_true("upgrading"),
        (f"{UPGRADE}::test_no_pod_starts_and_nothing_is_installed_while_an_upgrade_is_under_way",),
    ),
    Mutant(
        "dump-without-an-end",
        "A dump whose program ended early is taken for a whole one.",
        dump._dump,
        always_true("complete"),
        (f"{DUMP}::test_a_dump_without_an_end_is_not_one",),
    ),
    Mutant(
        "damaged-dump-restored",
        "The database is emptied before anybody looks whether the dump is whole.",
        dump.verify,
        always_false("sha256"),
        (f"{DUMP}::test_a_damaged_dump_changes_nothing",),
    ),
    Mutant(
        "restored-over-what-is-there",
        "Tables that the new release has created stay when the dump is restored.",
        dump.empty,
        without_call("clear"),
        (f"{DUMP}::test_what_is_restored_is_what_was_dumped_and_nothing_else",),
    ),
]
