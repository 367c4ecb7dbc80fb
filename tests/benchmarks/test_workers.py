"""A process that hangs gives a verdict, and does not stop the table."""

import time

from benchmarks.workers import Worker


def test_what_takes_too_long_has_a_reason():
    worker = Worker(time.sleep, 0.1, "failed")
    assert worker.ask(60) == {"verdict": "failed", "reason": "out of time: 0.1 s"}
    assert worker.process is None
