"""The Redis client of the runner."""

import io
import socket
import threading

import pytest

from frappe_operator.runner import redis
from frappe_operator.runner.outcome import Blocked, Retry


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        (b"+PONG\r\n", b"PONG"),
        (b":-7\r\n", -7),
        (b"$-1\r\n", None),
        (b"$0\r\n\r\n", b""),
        (b"$6\r\na\r\nb\x00c\r\n", b"a\r\nb\x00c"),
        (b"*-1\r\n", None),
        (b"*3\r\n:1\r\n$-1\r\n*1\r\n$1\r\nx\r\n", [1, None, [b"x"]]),
    ],
)
def test_every_kind_of_answer_is_read_to_its_end(answer: bytes, value: redis.Answer) -> None:
    stream = io.BytesIO(answer + b"+next\r\n")
    assert redis.decode(stream) == value
    assert redis.decode(stream) == b"next"


@pytest.mark.parametrize("cut", [b"", b"+PO", b"$5\r\nabc", b"*2\r\n:1\r\n", b"HTTP/1.1 400 Bad Request\r\n"])
def test_half_an_answer_is_none(cut: bytes) -> None:
    with pytest.raises(EOFError):
        redis.decode(io.BytesIO(cut))


def test_a_command_is_a_list_of_words_with_their_lengths_in_bytes() -> None:
    assert redis.encode("SET", "ä", b"\r\n", 7) == b"*4\r\n$3\r\nSET\r\n$2\r\n\xc3\xa4\r\n$2\r\n\r\n\r\n$1\r\n7\r\n"


def test_an_address_names_server_user_and_database() -> None:
    assert redis.server("redis://:p%40ss%2F@cache:6380/2") == redis.Server("cache", 6380, "p@ss/", "", 2)
    assert redis.server("redis://me:x@cache") == redis.Server("cache", 6379, "x", "me", 0)
    with pytest.raises(Blocked, match="rediss"):
        redis.server("rediss://:secret@cache:6379/0")


def conversation(*answers: bytes) -> tuple[redis.Server, list[bytes]]:
    """A server that sends one of these responses per command and then closes the connection; and the commands that it
    received."""
    listener = socket.create_server(("127.0.0.1", 0))
    heard: list[bytes] = []

    def serve() -> None:
        with listener, listener.accept()[0] as peer:
            for answer in answers:
                heard.append(peer.recv(1 << 16))
                peer.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    return redis.Server("127.0.0.1", listener.getsockname()[1], "open", "", 3), heard


def test_it_logs_in_before_it_asks() -> None:
    server, heard = conversation(b"+OK\r\n", b"+OK\r\n", b"+PONG\r\n")
    with redis.connected(server, 10) as ask:
        assert ask("PING") == b"PONG"
    assert heard == [redis.encode("AUTH", "open"), redis.encode("SELECT", 3), redis.encode("PING")]


def test_a_wrong_password_is_refused_and_not_repeated_in_the_message() -> None:
    server, _ = conversation(b"-WRONGPASS invalid username-password pair or user is disabled.\r\n")
    with pytest.raises(redis.Refused, match="WRONGPASS") as refused, redis.connected(server, 10):
        pass
    assert "open" not in refused.value.message


@pytest.mark.parametrize("answer", [b"", b"-LOADING Redis is loading the dataset in memory\r\n"])
def test_a_server_that_hangs_up_or_is_not_ready_is_asked_again_later(answer: bytes) -> None:
    server, _ = conversation(answer)
    with pytest.raises(Retry), redis.connected(server, 10):
        pass


def test_a_server_that_is_not_there_or_silent_is_asked_again_later() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = redis.Server(*silent.getsockname())
        with pytest.raises(Retry, match="cannot be reached"), redis.connected(where, 0.05) as ask:
            ask("PING")
    with pytest.raises(Retry, match="cannot be reached"), redis.connected(where, 10):
        pass
