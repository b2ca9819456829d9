"""What KEDA and Kubernetes do with the chart's ScaledObject, with processes for pods."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import httpx

from support.deployed_files import Manifest
from support.worker_process import WorkerProcess


class Autoscaler:
    """Keeps as many workers as a ScaledObject asks for; `step` is one poll of its metric.

    From none KEDA starts one, and to none it goes after the cooldown; between one and the most a
    HorizontalPodAutoscaler counts, which goes down to the highest count of its window.
    """

    def __init__(
        self, scaled: Manifest, gateway: httpx.Client, start: Callable[[str], WorkerProcess]
    ) -> None:
        self._spec = scaled["spec"]
        (trigger,) = self._spec["triggers"]
        self._metric = trigger["metadata"]
        self._gateway = gateway
        self._start = start
        self._wanted: deque[tuple[float, int]] = deque()  #: when, and how many
        self._busy = time.monotonic()  #: when the metric was last above zero
        self._started = 0
        self.pods: list[WorkerProcess] = []  #: the oldest first
        self.leaving: list[WorkerProcess] = []
        self.costs: dict[str, int] = {}  #: pod → its annotation pod-deletion-cost

    def look(self) -> float:
        """The metric, asked as KEDA asks: a number at a place of the answer's JSON."""
        url = urlsplit(self._metric["url"])
        answer = self._gateway.get(f"{url.path}?{url.query}").raise_for_status()
        return float(answer.json()[self._metric["valueLocation"]])

    def step(self) -> None:
        """Look at the metric, and start or end workers as it says."""
        metric, now = self.look(), time.monotonic()
        if metric > 0:
            self._busy = now
        if not self.pods:
            self.scale_to(1 if metric > 0 else 0)
        elif now - self._busy >= self._spec["cooldownPeriod"]:
            self.scale_to(self._spec["minReplicaCount"])
        else:
            self.scale_to(self._stable(self._count(metric), now))

    def _count(self, metric: float) -> int:
        count = math.ceil(metric / float(self._metric["targetValue"]))
        return max(1, min(count, int(self._spec["maxReplicaCount"])))

    def _stable(self, count: int, now: float) -> int:
        behavior = self._spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        window_s = behavior["scaleDown"]["stabilizationWindowSeconds"]
        self._wanted.append((now, count))
        while self._wanted[0][0] < now - window_s:
            self._wanted.popleft()
        highest = max(one for _, one in self._wanted)
        return max(count, min(highest, len(self.pods)))

    def scale_to(self, count: int) -> None:
        """Start workers, or tell some to stop."""
        while len(self.pods) < count:
            self._started += 1
            self.pods.append(self._start(f"pod-{self._started}"))
        while len(self.pods) > count:
            pod = self.next_to_go
            self.pods.remove(pod)
            self.leaving.append(pod)
            pod.ask_to_stop()

    @property
    def next_to_go(self) -> WorkerProcess:
        """As a ReplicaSet chooses among pods that are ready: by cost, then the youngest."""
        return min(reversed(self.pods), key=lambda pod: self.costs.get(pod.name, 0))

    def annotate(self, costs: Mapping[str, int]) -> None:
        """Set the annotation pod-deletion-cost of pods."""
        self.costs.update(costs)

    def end(self, grace_s: float) -> dict[str, int]:
        """Stop everything; returns the exit code of each worker that left."""
        self.scale_to(0)
        return {pod.name: pod.await_end(grace_s) for pod in self.leaving}
