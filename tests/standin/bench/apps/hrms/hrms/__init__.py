"""An app that needs another app, and whose tables refer to that app's."""

__version__ = "15.33.0"
