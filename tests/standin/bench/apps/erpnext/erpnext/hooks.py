"""What this app brings into a site."""

modules = ["Accounts", "Stock"]

doctypes = {
    "Company": "`abbr` varchar(140)",
    "Customer": "`customer_name` varchar(140)",
    "Employee": "`employee_name` varchar(140)",
    "Item": "`item_name` varchar(140)",
    "Sales Invoice": "`customer` varchar(140), `grand_total` decimal(21,9) NOT NULL DEFAULT 0",
}

documents = [
    ("Role", {"name": "Accounts User"}),
    ("Item", {"name": "Sample", "item_name": "Sample"}),
]
"""Written last, when the app is listed already."""
