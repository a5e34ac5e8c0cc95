"""The API server's door in a node's network: listens there, and hands each connection on to the machine's loopback.

The API server listens on loopback only. A process may hold sockets of two networks: this one accepts in the node's
and connects in the machine's, so that nothing has to listen or be forwarded in between.
"""

import argparse
import asyncio
import contextlib
import ctypes
import os
import socket
from collections.abc import Sequence
from pathlib import Path

_CLONE_NEWNET = 0x4000_0000
_CHUNK = 1 << 16


def listen_in(network: Path, addresses: Sequence[str], port: int) -> list[socket.socket]:
    """Sockets that listen on `addresses` in the network namespace that the file `network` stands for."""
    own = Path("/proc/self/ns/net").open("rb")  # noqa: SIM115 - the name leads elsewhere once we are in the other
    with own, network.open("rb") as other:
        _enter(other.fileno())
        try:
            return [socket.create_server((address, port), backlog=128) for address in addresses]
        finally:
            _enter(own.fileno())


async def hand_on(listening: Sequence[socket.socket], port: int, address: str = "127.0.0.1") -> None:
    """Connect whoever comes to `listening` with `port` of an address of this network, until cancelled."""

    async def guide(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            server_reader, server_writer = await asyncio.open_connection(address, port)
            try:
                await asyncio.gather(_carry(reader, server_writer), _carry(server_reader, writer))
            finally:
                server_writer.close()
        writer.close()

    servers = [await asyncio.start_server(guide, sock=one) for one in listening]
    await asyncio.gather(*(server.serve_forever() for server in servers))


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


def _enter(namespace: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, _CLONE_NEWNET):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", type=Path, required=True, help="the node's network namespace, as a file")
    parser.add_argument("--address", action="append", required=True, help="where to listen in it; may be repeated")
    parser.add_argument("--port", type=int, required=True, help="the port there and here")
    chosen = parser.parse_args()
    asyncio.run(hand_on(listen_in(chosen.network, chosen.address, chosen.port), chosen.port))


if __name__ == "__main__":
    _main()
