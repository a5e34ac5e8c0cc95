"""A client of Redis over a socket, because the runner has the standard library only."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple
from urllib.parse import unquote, urlsplit

from .outcome import Blocked, Retry, Stopped

Answer = bytes | int | list["Answer"] | None
Ask = Callable[..., Answer]
"""Sends one command, given as its arguments (text, bytes or numbers), and returns the response."""

UNREADY = {"LOADING", "MASTERDOWN", "BUSY", "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS", "READONLY"}
"""Error codes of a server that starts, stops or is busy."""


class Server(NamedTuple):
    """Address and login of a Redis server."""

    host: str
    port: int = 6379
    password: str = ""
    username: str = ""
    database: int = 0


class Refused(Stopped):
    """The server returned an error for the command."""

    def __init__(self, message: str) -> None:
        super().__init__("RedisRefused", f"Redis reports an error: {message}")
        self.code = message.partition(" ")[0]


def server(url: str) -> Server:
    """The server of a `redis://` URL. Raises Blocked for any other URL."""
    parts = urlsplit(url)
    if parts.scheme != "redis" or not parts.hostname:
        raise Blocked(
            "InvalidArguments", f"The address of Redis begins with {parts.scheme}://: must begin with redis://"
        )
    return Server(
        parts.hostname,
        parts.port or 6379,
        unquote(parts.password or ""),
        unquote(parts.username or ""),
        int(parts.path.strip("/") or 0),
    )


@contextmanager
def connected(server: Server, timeout: float) -> Iterator[Ask]:
    """An authenticated connection. `timeout`: seconds to wait for each response.

    Raises Retry when the server cannot be reached, is not ready or does not respond in time, and Refused.
    """
    with _reaching(server):
        connection = socket.create_connection((server.host, server.port), timeout)
    with connection, connection.makefile("rb") as answers:

        def ask(*words: str | bytes | int) -> Answer:
            with _reaching(server):
                connection.sendall(encode(*words))
                return decode(answers)

        if server.password:
            ask("AUTH", *([server.username] if server.username else []), server.password)
        if server.database:
            ask("SELECT", server.database)
        yield ask


@contextmanager
def _reaching(server: Server) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError) as error:
        raise Retry(
            "RedisUnavailable", f"Redis at {server.host}:{server.port} cannot be reached: {str(error) or 'no response'}"
        ) from None
    except Refused as refused:
        if refused.code in UNREADY:
            raise Retry("RedisUnavailable", refused.message) from None
        raise


def encode(*words: str | bytes | int) -> bytes:
    """A command in the format of the protocol."""
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def decode(stream: BinaryIO) -> Answer:
    """Reads the next response. Raises Refused for an error, and EOFError when the server closes the connection."""
    line = stream.readline()
    kind, rest = line[:1], line[1:-2]
    if not line.endswith(b"\r\n"):
        raise EOFError("the connection was closed")
    match kind:
        case b"+":
            return rest
        case b"-":
            raise Refused(rest.decode("utf-8", "replace"))
        case b":":
            return int(rest)
        case b"$":
            return None if rest == b"-1" else _exactly(stream, int(rest))
        case b"*":
            return None if rest == b"-1" else [decode(stream) for _ in range(int(rest))]
        case _:
            raise EOFError("the answer is not in Redis's protocol")


def _exactly(stream: BinaryIO, length: int) -> bytes:
    value = stream.read(length + 2)
    if len(value) != length + 2:
        raise EOFError("the connection was closed")
    return value[:-2]
