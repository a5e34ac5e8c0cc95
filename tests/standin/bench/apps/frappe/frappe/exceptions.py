"""What goes wrong in a site, named as Frappe names it, with the HTTP status it becomes."""


class FrappeError(Exception):
    """Anything this program says no to."""

    http_status_code = 500


class ValidationError(FrappeError):
    http_status_code = 417


class AuthenticationError(FrappeError):
    http_status_code = 401


class PermissionError(FrappeError):  # noqa: A001 - the name Frappe's answers carry in exc_type
    http_status_code = 403


class DoesNotExistError(FrappeError):
    http_status_code = 404


class IncorrectSitePath(FrappeError):
    http_status_code = 404


class SiteNotSpecifiedError(FrappeError):
    http_status_code = 404


class SessionStopped(FrappeError):
    http_status_code = 503


class RequestTooLarge(FrappeError):
    http_status_code = 413


class LockTimeoutError(FrappeError):
    """Another process holds the lock."""


class DuplicateEntryError(Exception):
    """A document of that name is there: its arguments are the doctype and the name. Printed with its traceback."""
