"""Ctrl-C, and the SIGTERM of a scheduler or of torchrun: asked to stop, a training saves first."""

import contextlib
import signal
import threading

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Request:
    """`made` is true once somebody asked to stop. A second request stops at once."""

    def __init__(self):
        self.made = False

    def __call__(self, number, frame):
        if self.made:
            raise KeyboardInterrupt
        self.made = True


@contextlib.contextmanager
def requests():
    """A Request that the signals make while the context lasts; outside the main thread no signal can be caught."""
    request = Request()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.signal(number, request) for number in SIGNALS}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
