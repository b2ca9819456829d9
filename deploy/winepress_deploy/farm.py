"""Runs and supervises a whole farm on one machine: broker, store, web pages and workers."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Self

from pydantic import SecretStr

from winepress_deploy import ports
from winepress_deploy.credentials import Credentials
from winepress_deploy.farm_options import FarmOptions
from winepress_deploy.private_file import write_private
from winepress_deploy.process import Child, Program
from winepress_deploy.roles import Role
from winepress_deploy.running_farm import process_began
from winepress_deploy.services import deliverer, flower, gateway, seaweed, valkey
from winepress_deploy.services.cleaner import Cleaner
from winepress_deploy.services.quarantine import QuarantineWatch
from winepress_deploy.services.store_disk import StoreSync
from winepress_deploy.services.workers import workers
from winepress_deploy.settings_file import (
    lost_settings,
    names_broker,
    names_store,
    user_settings,
    with_key,
    write_settings,
)
from winepress_deploy.state_folder import (
    StateFolder,
    configured_state,
    default_state,
    stop_command,
)
from winepress_deploy.stop_request import StopRequest
from winepress_shared.errors import FarmUnreachable, WrongUsage
from winepress_shared.ledger.broker_disk import complaint_of
from winepress_shared.ledger.limits import QueueLimits
from winepress_shared.settings import Limits, Settings

_SERVICE_READY_S = 60.0  #: a Valkey with much data takes time to load it
_WORKER_READY_S = 180.0  #: a worker imports and compiles before it announces itself


class Farm:
    """Runs during its ``with`` block; every child dies with this process."""

    def __init__(
        self,
        options: FarmOptions,
        say: Callable[[str], None] = lambda line: None,
        stop: StopRequest | None = None,
    ) -> None:
        """``say`` is called with one line per event, from several threads."""
        self.options = options
        self.state = StateFolder(options.state or default_state())
        self.settings = Settings()
        self.urls: dict[str, str] = {}  #: without passwords
        self.services: dict[str, Child] = {}  #: by name; only those this farm runs itself
        self.workers: list[Child] = []
        self.stop_request = stop or StopRequest()
        self._say = say
        self._ports: dict[str, int] = {}
        self._held = ExitStack()

    def __enter__(self) -> Self:
        """Start everything and return when it is ready.

        Raises WrongUsage (folder, settings, missing programs, or a farm already running there),
        FarmUnreachable (a program does not start) and KeyboardInterrupt (stopped meanwhile).
        """
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the workers first, so that they can deliver their pictures, then the services."""
        is_hurried = self.stop_request.is_hurried
        for group in (self.workers, *([child] for child in reversed(self.services.values()))):
            for child in group:
                child.ask_to_stop()
            for child in group:
                child.wait_stopped(is_hurried)
                with suppress(OSError):  # the others are to be stopped, whoever hears of it
                    self._say(f"{child.name} stopped")
        if seaweed.NAME in self.services:
            seaweed.remove_sockets(self._ports)
        self.workers, self.services = [], {}
        self._held.close()

    def _start(self) -> None:
        self.state.create()
        try:
            self._held.enter_context(self.state.locked())
        except BlockingIOError:
            raise _already_running(self.state) from None
        self._announce()
        other = configured_state(os.environ)
        if other and other != self.state.path.resolve():
            self._say(f"WINEPRESS_CONFIG names the farm in {other}; this one is separate")
        given = user_settings(self.state.settings, os.environ, alone=self.options.alone)
        self._tell_of_lost(given)
        credentials = Credentials.keep(self.state.credentials)
        self._choose_ports()
        self.settings = self._write_settings(given, credentials)
        self._start_services(self._own_servers(given, credentials))
        if seaweed.NAME in self.services:
            store = self.services[seaweed.NAME]
            self._held.enter_context(StoreSync(self.state.subfolder(seaweed.NAME)))
            watch = QuarantineWatch(store.program.log, store.kill, self._say)
            self._held.enter_context(watch)
        if complaint := complaint_of(self.settings):
            self._say(complaint)
        self._set_limits(given)
        self._start_services(self._web_servers(credentials))
        self._start_workers()
        self._held.enter_context(Cleaner(self.state))
        self._announce()

    def _tell_of_lost(self, given: Settings) -> None:
        """Name settings of the last run that are no longer set; raises WrongUsage for some."""
        lost = lost_settings(self.state.settings_of(Role.GATEWAY), given)
        if lost:
            self._say(
                f"no longer set: {', '.join(lost)}; to keep them, put them into a winepress.toml "
                "in the folder where you run `winepress up`, or into variables WINEPRESS_…"
            )

    def _announce(self) -> None:
        self.state.announce(os.getpid(), process_began(os.getpid()), self.urls)

    def _choose_ports(self) -> None:
        served = (gateway.NAME,) if self.options.gateway else ()
        try:
            self._ports = ports.choose(
                (valkey.NAME, flower.NAME, *seaweed.PORTS, *served),
                self.state.remembered_ports(),
                seaweed.PORT_OFFSETS,
                gateway.PREFERRED,
            )
        except OSError as error:
            raise FarmUnreachable(str(error)) from None
        self.state.remember_ports(self._ports)

    def _addresses(self, given: Settings) -> Settings:
        """The servers' addresses, without keys except in those that the user named."""
        own: dict[str, object] = {}
        if not names_broker(given):
            self.urls["broker"] = valkey.broker_url(self._ports[valkey.NAME])
            own["broker_url"] = SecretStr(self.urls["broker"])
            if given.waits_for_replica:
                raise WrongUsage(
                    "the broker that `winepress up` starts has no replica",
                    field="durability",
                    value=given.durability,
                    allowed="disk, second; or a broker_url of servers that have one",
                )
            if "durability" not in given.model_fields_set:
                own["durability"] = "disk"
        else:
            self._say("using the broker from your settings")
        if not names_store(given):
            own["s3_endpoint"] = self.urls["s3"] = seaweed.endpoint(self._ports)
        else:
            self._say("using the store from your settings")
        return given.model_copy(update=own | dict.fromkeys(Limits.model_fields))

    def _write_settings(self, given: Settings, credentials: Credentials) -> Settings:
        """Write one file per role and return the operator's settings.

        For servers that the user named, all roles have the same key.
        """
        broker, store = not names_broker(given), not names_store(given)
        addresses = self._addresses(given)
        settings = {
            role: with_key(addresses, role, credentials, broker=broker, store=store)
            for role in Role
        }
        for role, each in settings.items():
            write_settings(self.state.settings_of(role), each, "winepress up")
        return settings[Role.OPERATOR]

    def _own_servers(self, given: Settings, credentials: Credentials) -> list[Program]:
        """The servers that the user's settings do not name."""
        servers = []
        if not names_broker(given):
            port = self._ports[valkey.NAME]
            servers.append(valkey.valkey(self.state, self.settings, port, credentials))
        if not names_store(given):
            servers.append(seaweed.seaweed(self.state, self.settings, self._ports, credentials))
        return servers

    def _web_servers(self, credentials: Credentials) -> list[Program]:
        """Flower, and the gateway with what delivers its webhooks, as far as they are wanted."""
        servers = []
        if self.options.flower:
            password = credentials.flower_password.get_secret_value()
            write_private(self.state.flower_password, f"{password}\n")
            servers.append(flower.flower(self.state, self._ports[flower.NAME], password))
        if self.options.gateway:
            servers.append(gateway.gateway(self.state, self._ports[gateway.NAME]))
            servers.append(deliverer.deliverer(self.state, self.settings))
        for server in servers:
            if server.name not in self._ports:
                continue
            self.urls[server.name] = f"http://{ports.HOST}:{self._ports[server.name]}"
        return servers

    def _start_services(self, programs: list[Program]) -> None:
        self.services |= {program.name: Child(program, self._say) for program in programs}
        self._await([self.services[program.name] for program in programs], _SERVICE_READY_S)

    def _set_limits(self, given: Settings) -> None:
        """Set the limits in these settings; others stay as recorded in the broker."""
        if given.limits:
            limits = QueueLimits(self.settings)
            limits.set_limits(given.limits)
            limits.close()

    def _start_workers(self) -> None:
        programs = workers(self.state, self.settings, self.options)
        self.workers = [Child(program, self._say) for program in programs]
        self._await(self.workers, _WORKER_READY_S)

    def _await(self, children: list[Child], timeout_s: float) -> None:
        began = time.monotonic()
        for child in children:
            child.start()
        for child in children:
            child.wait_ready(timeout_s, self.stop_request.is_asked)
            self._say(f"{child.name} ready after {time.monotonic() - began:.1f} s")


def _already_running(state: StateFolder) -> WrongUsage:
    urls = state.announced().get("urls") or {}
    shown = ", ".join(f"{name} {url}" for name, url in urls.items())
    return WrongUsage(
        f"a farm already runs here{': ' if shown else ''}{shown}",
        field="--state",
        value=str(state.path),
        hint=f"To use it: `export WINEPRESS_CONFIG={shlex.quote(str(state.settings))}`; "
        f"to stop it: `{stop_command(state, os.environ)}`",
    )
