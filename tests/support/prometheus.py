"""A Prometheus that scrapes a test's farm every half second."""

from __future__ import annotations

import math
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import httpx
import yaml

from support.promql import ROOT
from support.servers import free_ports, scrubbed_environment

CONFIG = ROOT / "deploy" / "prometheus" / "prometheus.yaml"
_EVERY = "500ms"
_PATIENCE_S = 60


class Prometheus:
    """Runs during its ``with`` block, by our own configuration but for times and the address."""

    def __init__(self, folder: Path, target: str, rules: str) -> None:
        """``target`` is host and port of what tells the metrics."""
        config = yaml.safe_load(CONFIG.read_text("utf-8"))
        config["global"] = {"scrape_interval": _EVERY, "evaluation_interval": _EVERY}
        (job,) = config["scrape_configs"]
        job["static_configs"][0]["targets"] = [target]
        (name,) = config["rule_files"]
        (folder / name).write_text(rules, "utf-8")
        self._config = folder / CONFIG.name
        self._config.write_text(yaml.safe_dump(config), "utf-8")
        (port,) = free_ports(1)
        self._command = (
            "prometheus",
            f"--config.file={self._config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        )
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False)

    def __enter__(self) -> Self:
        self._began = time.time()
        with self._config.with_name("log").open("wb") as log:
            self._process = subprocess.Popen(
                self._command, env=scrubbed_environment(), stdout=log, stderr=log
            )
        self.wait_until(self._is_ready, "Prometheus did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(_PATIENCE_S)
        self._http.close()

    def query(self, query: str) -> list[float]:
        """The values of a query now, one for each series."""
        answer = self._http.get("/api/v1/query", params={"query": query}).json()
        assert answer["status"] == "success", answer
        return [float(series["value"][1]) for series in answer["data"]["result"]]

    def has_shown(self, query: str) -> bool:
        """Whether a query had a finite value at any time since this Prometheus was started."""
        now = time.time()
        span = {"start": self._began, "end": now, "step": 1}
        answer = self._http.get("/api/v1/query_range", params={"query": query, **span}).json()
        assert answer["status"] == "success", answer
        series = answer["data"]["result"]
        return any(math.isfinite(float(text)) for one in series for _, text in one["values"])

    def firing(self) -> set[str]:
        """The names of the alerts that fire."""
        told: list[dict[str, Any]] = self._http.get("/api/v1/alerts").json()["data"]["alerts"]
        return {one["labels"]["alertname"] for one in told if one["state"] == "firing"}

    def wait_until(
        self, condition: Callable[[], object], what: str, patience_s: float = _PATIENCE_S
    ) -> None:
        """Look again and again; fails after a minute if nothing else is said."""
        deadline = time.monotonic() + patience_s
        while not condition():
            assert self._process.poll() is None, self._config.with_name("log").read_text()
            assert time.monotonic() < deadline, what
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        try:
            return self._http.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False
