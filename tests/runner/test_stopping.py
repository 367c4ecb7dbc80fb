"""A first signal is a request, a second one an order; afterwards all is as it was."""

import os
import signal
import threading

import pytest

from runner import stopping


def send(number):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", stopping.SIGNALS)
def test_the_first_signal_is_a_request_and_the_second_stops(number):
    with stopping.requests() as request:
        assert not request.made
        send(number)
        assert request.made
        with pytest.raises(KeyboardInterrupt):
            send(number)


def test_afterwards_signals_do_what_they_did():
    before = {number: signal.getsignal(number) for number in stopping.SIGNALS}
    with pytest.raises(ZeroDivisionError), stopping.requests():
        assert signal.getsignal(signal.SIGTERM) is not before[signal.SIGTERM]
        raise ZeroDivisionError
    assert {number: signal.getsignal(number) for number in stopping.SIGNALS} == before


def test_a_thread_gets_a_request_that_nobody_makes():
    made = []

    def train():
        with stopping.requests() as request:
            made.append(request.made)

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert made == [False]
