"""The ways in which a command can fail."""


class Stopped(Exception):
    """The command cannot continue: `reason` is for programs, the message for people."""

    blocked = False

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Blocked(Stopped):
    """The user must change something; a retry does not help."""

    blocked = True


class Retry(Stopped):
    """A retry may help: something is not available yet, or an error was temporary."""


class Terminated(BaseException):
    """The pod is being terminated. Derived from BaseException, so that no `except Exception` catches it."""
