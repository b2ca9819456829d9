"""Stands between clients and a server of this machine, and spoils what passes."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Self

_BLOCK = 65_536
_RETRANSMIT_S = 0.25  #: delay of a lost segment, about TCP's least
_LOOK_S = 0.05
_SERVER_S = 10.0  #: longest to reach the server

#: What the client sent at a time, in whole or in part.
OnRequest = Callable[[bytes], "Treatment"]


class Treatment(Enum):
    """What happens to a request and its reply."""

    PASS = auto()
    SWALLOW = auto()  #: the request does not arrive, and the connection ends
    DROP_REPLY = auto()  #: the request arrives, the reply does not, and the connection ends
    TRUNCATE = auto()  #: half of this part of the request arrives, and the connection ends


@dataclass
class _Link:
    """One connection of a client, with its own to the server."""

    client: socket.socket
    server: socket.socket
    is_stuck: bool = False  #: open, and nothing passes any more
    is_mute: bool = False  #: the server's next reply is dropped
    closed: threading.Event = field(default_factory=threading.Event)

    def close(self) -> None:
        self.closed.set()
        for end in (self.client, self.server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class TcpProxy:
    """Passes everything on at first; its attributes say what to spoil, and may change any time."""

    def __init__(self, target_port: int, seed: int = 0) -> None:
        self.target_port = target_port  #: of a server on this machine
        self.latency_s = 0.0  #: of each direction
        self.loss = 0.0  #: share of the blocks that come late, as repeated segments do
        self.is_refusing = False  #: ends new connections at once
        self.answer: bytes | None = None  #: what every request gets instead of the server's reply
        self.on_request: OnRequest = lambda block: Treatment.PASS
        self.on_drop: Callable[[], object] = lambda: None  #: called with the reply at hand
        self.shorten_reply: Callable[[bytes], bool] = lambda block: False
        self._chance = random.Random(f"proxy {seed}")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._links: list[_Link] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_refusing = True
        # Closing it would not wake the thread that waits on it.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """End every connection now."""
        links, self._links = self._links, []
        for link in links:
            link.close()

    def stick(self) -> None:
        """Leave every present connection half-open; new ones work."""
        for link in list(self._links):
            link.is_stuck = True

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.is_refusing:
                client.close()
                continue
            threading.Thread(target=self._open, args=(client,), daemon=True).start()

    def _open(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self.target_port), _SERVER_S)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = _Link(client, server)
        self._links.append(link)
        threading.Thread(target=self._carry, args=(link, self._down), daemon=True).start()
        self._carry(link, self._up)

    def _carry(self, link: _Link, carry: Callable[[_Link], bool]) -> None:
        """Carry one direction until the connection ends."""
        with suppress(OSError):
            while carry(link):
                pass
        link.close()
        with suppress(ValueError):
            self._links.remove(link)

    def _up(self, link: _Link) -> bool:
        block = link.client.recv(_BLOCK)
        if not block:
            return False
        self._delay(link)
        if self.answer is not None:
            link.client.sendall(self.answer)
            return False
        treatment = self.on_request(block)
        if treatment is Treatment.SWALLOW:
            return False
        link.is_mute = link.is_mute or treatment is Treatment.DROP_REPLY
        if treatment is Treatment.TRUNCATE:
            link.server.sendall(block[: len(block) // 2])
            return False
        link.server.sendall(block)
        return True

    def _down(self, link: _Link) -> bool:
        block = link.server.recv(_BLOCK)
        self._delay(link)
        if not block:
            return False
        if link.is_mute:
            self.on_drop()
            return False
        if self.shorten_reply(block):
            link.client.sendall(block[: len(block) // 2])
            return False
        link.client.sendall(block)
        return True

    def _delay(self, link: _Link) -> None:
        if self.latency_s:
            time.sleep(self.latency_s)
        if self.loss and self._chance.random() < self.loss:
            time.sleep(_RETRANSMIT_S)
        while link.is_stuck and not link.closed.wait(_LOOK_S):
            pass
