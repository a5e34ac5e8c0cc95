"""An app that needs frappe only: enough of ERPNext to be installed, listed, migrated and removed."""

__version__ = "15.49.2"
