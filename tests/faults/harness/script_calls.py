"""Strikes at the very call of the ledger that is meant, without a hook in the product."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable

from faults.harness.tcp_proxy import TcpProxy, Treatment

from winepress_shared.ledger.script_server import script_texts


class ScriptCalls:
    """Recognises the scripts that pass a proxy by their SHA-1."""

    def __init__(self, proxy: TcpProxy) -> None:
        self._proxy = proxy
        self._shas = {
            name: hashlib.sha1(text.encode()).hexdigest().encode()
            for name, text in script_texts().items()
        }
        self.struck = threading.Event()

    def strike_at(
        self, script: str, act: Callable[[], object], treatment: Treatment, after: int = 0
    ) -> None:
        """At the call of a script after ``after`` of them, act once and treat the call so.

        Where the reply is dropped, act when it is there: the script has run by then.
        """
        left = [after]
        if treatment is Treatment.DROP_REPLY:
            self._proxy.on_drop = act

        def on_request(block: bytes) -> Treatment:
            if self.struck.is_set() or self._shas[script] not in block:
                return Treatment.PASS
            left[0] -= 1
            if left[0] >= 0:
                return Treatment.PASS
            self.struck.set()
            if treatment is not Treatment.DROP_REPLY:
                act()
            return treatment

        self._proxy.on_request = on_request
