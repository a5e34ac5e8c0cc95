"""What this app brings into a site: its tables, with the columns they have besides the common ones."""

PARENT = "`parent` varchar(140), KEY `parent` (`parent`)"

doctypes = {
    "Activity Log": "`user` varchar(140), `operation` varchar(140), `status` varchar(140), `ip_address` varchar(140)",
    "Comment": "`content` longtext",
    "Communication": "`subject` text",
    "Custom Field": "`dt` varchar(140), `fieldname` varchar(140)",
    "Domain": "",
    "Email Account": "`email_id` varchar(140)",
    "Error Log": "`method` varchar(140), `error` longtext",
    "Has Role": f"`role` varchar(140), {PARENT}",
    "Installed Application": (
        f"`app_name` varchar(140), `app_version` varchar(140), `git_branch` varchar(140), {PARENT}"
    ),
    "Language": "`language_name` varchar(140)",
    "Module Def": "`app_name` varchar(140)",
    "Note": "`title` varchar(140)",
    "Patch Log": "`patch` longtext",
    "Portal Menu Item": f"`title` varchar(140), {PARENT}",
    "Property Setter": "`doc_type` varchar(140)",
    "Role": "`disabled` int(1) NOT NULL DEFAULT 0",
    "Scheduled Job Log": "`status` varchar(140), `scheduled_job_type` varchar(140)",
    "Scheduled Job Type": (
        "`method` varchar(140), `frequency` varchar(140), `stopped` int(1) NOT NULL DEFAULT 0, "
        "`last_execution` datetime(6)"
    ),
    "Standin Job": (
        "`site` varchar(140), `marker` varchar(140), `queue` varchar(140), `worker` varchar(140), "
        "`started` datetime(6), `finished` datetime(6)"
    ),
    "ToDo": "`description` longtext",
    "User": (
        "`email` varchar(140), `full_name` varchar(140), `enabled` int(1) NOT NULL DEFAULT 0, "
        "`user_type` varchar(140) DEFAULT 'System User'"
    ),
    "Version": "`data` longtext",
    "Web Form List Column": PARENT,
    "Website Theme": "`theme` varchar(140)",
}

children = [
    ("Has Role", {"parent": "Administrator", "role": "System Manager"}),
    ("Has Role", {"parent": "Guest", "role": "Guest"}),
    ("Portal Menu Item", {"parent": "Portal Settings", "title": "My Account"}),
]
"""Rows of child tables: written once a run of the installation, whatever is there."""
