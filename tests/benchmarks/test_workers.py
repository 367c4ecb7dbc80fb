"""A process that hangs or dies gives a verdict, and does not stop the table."""

import os
import time

from benchmarks.workers import Worker


def test_what_takes_too_long_has_a_reason():
    worker = Worker(time.sleep, 0.1, "failed")
    assert worker.ask(60) == {"verdict": "failed", "reason": "out of time: 0.1 s"}
    assert worker.process is None


def test_a_process_that_was_killed_between_questions_is_replaced():
    worker = Worker(abs, 10, "failed")
    assert worker.ask(-1) == 1
    worker.process.kill()
    worker.process.join()
    assert worker.ask(-2) == {"verdict": "failed", "reason": "the process died"}
    assert worker.ask(-3) == 3
    worker.stop()


def test_a_process_has_a_life_of_so_many_questions():
    worker = Worker(process_number, 10, "failed", life=2)
    first, again, another = (worker.ask(None) for _ in range(3))
    worker.stop()
    assert first == again != another


def process_number(_):
    return os.getpid()
