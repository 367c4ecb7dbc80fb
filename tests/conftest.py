"""Where the tests run: one thread for torch, since they run in as many processes as there are cores, and Ctrl-C."""

import os
import signal

os.environ.setdefault("OMP_NUM_THREADS", "1")
# A shell starts what it runs in the background with Ctrl-C ignored; the tests of Ctrl-C need it.
signal.signal(signal.SIGINT, signal.default_int_handler)
