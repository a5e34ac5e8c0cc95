"""Where log lines go: standard error with FRAPPE_STREAM_LOGGING, else files that must be writable or nothing works."""

import logging
import os
from logging.handlers import RotatingFileHandler

from frappe.conf import sites_path

FORMAT = logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s")


def open_log(site: str | None) -> logging.Logger:
    """The log of the database's statements, in `logs/` of the bench and of the site.

    Raises OSError when a log file cannot be opened, which ends every command of Frappe.
    """
    logger = logging.getLogger("database")
    if not logger.handlers:
        logger.setLevel(logging.WARNING)
        logger.propagate = False
        handlers: list[logging.Handler]
        if os.environ.get("FRAPPE_STREAM_LOGGING"):
            handlers = [logging.StreamHandler()]
        else:
            files = [sites_path() / ".." / "logs" / "database.log"]
            if site:
                files.append(sites_path() / site / "logs" / "database.log")
            handlers = [RotatingFileHandler(file, maxBytes=100_000, backupCount=20) for file in files]
        for handler in handlers:
            handler.setFormatter(FORMAT)
            logger.addHandler(handler)
    return logger
