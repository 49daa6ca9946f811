"""How many requests there were, and how long they took, under the names that TensorFlow Serving gives them.

The text is that of Prometheus, https://prometheus.io/docs/instrumenting/exposition_formats;
its Python client would add endings to the names of counters.
"""

import bisect
import itertools
from collections import Counter, defaultdict

from tfft.server.status import Code

_COUNT = ":tensorflow:serving:request_count"
_LATENCY = ":tensorflow:serving:request_latency"
_LIMITS = [10 * 1.8**power for power in range(33)]
"""Upper ends of the buckets of latencies, in microseconds."""


class Metrics:
    """The figures of one model; used on one event loop.

    Args:
        model: Its name.
    """

    def __init__(self, model: str) -> None:
        self._model = model.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        self._counts: Counter[str] = Counter()
        self._buckets: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0] * (len(_LIMITS) + 1))
        self._sums: Counter[tuple[str, str]] = Counter()

    def record(self, method: str, entrypoint: str, code: Code, seconds: float) -> None:
        """Count one request.

        Args:
            method: `Predict`, `Classify`, `Regress` or `MultiInference`.
            entrypoint: `REST` or `GRPC`.
            code: What came of it.
            seconds: How long it took.
        """
        self._counts[code.name] += 1
        microseconds = round(seconds * 1e6)
        self._buckets[method, entrypoint][bisect.bisect_left(_LIMITS, microseconds)] += 1
        self._sums[method, entrypoint] += microseconds

    def page(self) -> str:
        """Return all figures as Prometheus reads them."""
        lines = [f"# TYPE {_COUNT} counter"]
        for status, count in sorted(self._counts.items()):
            lines.append(f'{_COUNT}{{model_name="{self._model}",status="{status}"}} {count}')
        lines.append(f"# TYPE {_LATENCY} histogram")
        for (method, entrypoint), buckets in sorted(self._buckets.items()):
            labels = f'model_name="{self._model}",API="{method}",entrypoint="{entrypoint}"'
            counts = [*itertools.accumulate(buckets)]
            ends = [*(f"{limit:g}" for limit in _LIMITS), "+Inf"]
            for end, count in zip(ends, counts, strict=True):
                lines.append(f'{_LATENCY}_bucket{{{labels},le="{end}"}} {count}')
            lines.append(f"{_LATENCY}_sum{{{labels}}} {self._sums[method, entrypoint]}")
            lines.append(f"{_LATENCY}_count{{{labels}}} {counts[-1]}")
        return "\n".join(lines) + "\n"
