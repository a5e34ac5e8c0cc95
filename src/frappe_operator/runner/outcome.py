"""How a command can end, besides well."""


class Stopped(Exception):
    """The command cannot go on: `reason` is for programs, the message a sentence for people."""

    blocked = False

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Blocked(Stopped):
    """The user must change something. Trying again does not help."""

    blocked = True


class Retry(Stopped):
    """Trying again may help: something is not there yet, or went wrong on the way."""


class Terminated(BaseException):
    """The pod is being stopped. No `except Exception` on the way may swallow it."""
