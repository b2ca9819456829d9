"""A link to a server that a test cuts and heals."""

from __future__ import annotations

import selectors
import socket
import threading
from types import TracebackType
from typing import Self

from support.servers import free_ports

_LOOK_S = 0.05
_BLOCK = 65536


class CuttableLink:
    """Carries TCP connections from a port of its own to a server on this machine."""

    def __init__(self, port: int) -> None:
        (self.port,) = free_ports(1)
        self._server = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._listener.setblocking(False)
        self._over = threading.Event()
        self._is_cut = threading.Event()
        self._turn = threading.Lock()
        self._pairs: dict[socket.socket, socket.socket] = {}  # each end → the other one
        self._silent: set[socket.socket] = set()  # ends of connections that carry nothing more
        self._thread = threading.Thread(target=self._carry, name="link")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        self._listener.close()
        for end in list(self._pairs):
            end.close()

    def cut(self, *, silently: bool) -> None:
        """Carry nothing more. ``silently``: nobody is told, and connections of before stay dead."""
        with self._turn:
            self._is_cut.set()
            if silently:
                self._silent.update(self._pairs)
            else:
                for end in list(self._pairs):
                    self._close(end)

    def heal(self) -> None:
        """Carry new connections again."""
        self._is_cut.clear()

    def _carry(self) -> None:
        while not self._over.is_set():
            with self._turn:
                ends = [end for end in self._pairs if end not in self._silent]
            with selectors.DefaultSelector() as selector:
                for end in [self._listener, *ends]:
                    if end.fileno() >= 0:
                        selector.register(end, selectors.EVENT_READ)
                found = [key.fileobj for key, _ in selector.select(_LOOK_S)]
            with self._turn:
                for one in found:
                    assert isinstance(one, socket.socket)
                    if one is self._listener:
                        self._open()
                    elif one in self._pairs and one not in self._silent:
                        self._forward(one)

    def _open(self) -> None:
        client, _ = self._listener.accept()
        client.setblocking(True)
        if self._is_cut.is_set():
            client.close()
            return
        server = socket.create_connection(self._server)
        self._pairs |= {client: server, server: client}

    def _forward(self, end: socket.socket) -> None:
        try:
            data = end.recv(_BLOCK)
            if data:
                self._pairs[end].sendall(data)
                return
        except OSError:
            pass  # its other end has gone
        self._close(end)

    def _close(self, end: socket.socket) -> None:
        other = self._pairs.pop(end, None)
        if other is None:
            return
        self._pairs.pop(other, None)
        self._silent -= {end, other}
        for one in (end, other):
            # A subscriber that reads must hear of it at once.
            one.close()
