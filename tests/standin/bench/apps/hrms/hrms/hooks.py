"""What this app brings into a site. Its foreign key is there to make dropping tables in any order fail."""

required_apps = ["erpnext"]

modules = ["HR"]

doctypes = {
    "Expense Claim": "`employee` varchar(140)",
    "Leave Application": "`employee` varchar(140), FOREIGN KEY (`employee`) REFERENCES `tabEmployee` (`name`)",
}

documents = [("Role", {"name": "Employee"})]

methods = ["hrms.api.version"]
"""What can be called, by a guest as well."""
