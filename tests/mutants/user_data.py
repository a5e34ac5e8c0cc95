"""Bugs by which users lose data: databases, files, passwords, encryption keys, queued jobs."""

from frappe_operator.components import frappe, storage
from frappe_operator.model import image
from frappe_operator.runner import creation, database, durable, site_config
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
        always_true("deletion_policy Delete"),
        ("world/test_site_deletion.py::test_a_site_that_is_kept_is_taken_up_again",),
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
        in_the_other_order("_make", "_mark_made"),
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
        expression('durable.locked(directory / paths.OURS / "lock", LOCK_SECONDS)', 'open("/dev/null")'),
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
        always_false("OUR_NAME username"),
        ("unit/runner/test_database.py::test_with_root_s_rights_only_names_that_the_operator_gave_are_touched",),
    ),
    Mutant(
        "files-written-in-place",
        "site_config.json is written in place: a pod that is killed meanwhile leaves half of it.",
        durable.write,
        expression("os.replace(temporary, path)", "(path.write_text(text), path.chmod(mode), os.unlink(temporary))"),
        (f"{CREATION}::test_killed_at_any_moment_it_ends_as_one_whole_site",),
    ),
]
