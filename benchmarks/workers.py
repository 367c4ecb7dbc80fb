"""Work in a process of its own, which is replaced when it hangs or dies."""

import math
import multiprocessing
import warnings

import torch

# Seconds for the imports.
START_LIMIT = 120


def serve(connection, work):
    """Answers one question after another, until it is told to stop."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    connection.send("ready")
    while True:
        try:
            question = connection.recv()
        except EOFError:
            return
        connection.send(work(question))


class Worker:
    """Asks `work`, a function of a module, within `limit` seconds; `lost` is the verdict where nothing comes.

    life: questions after which the process is replaced, with its caches.
    """

    def __init__(self, work, limit, lost, life=math.inf):
        self.work, self.limit, self.lost, self.life, self.process = work, limit, lost, life, None

    def start(self):
        # Not forked: torch has threads, and a fork of them may hang.
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=serve, args=(other, self.work), daemon=True)
        self.process.start()
        other.close()
        self.age = 0
        if not self.connection.poll(START_LIMIT) or self.connection.recv() != "ready":
            raise SystemExit("the worker process did not start")

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.join()
            self.process = None

    def ask(self, question):
        """What the work gives, or the verdict and why nothing came."""
        if self.process and self.age >= self.life:
            self.stop()
        if not self.process:
            self.start()
        self.age += 1
        try:
            self.connection.send(question)
            if self.connection.poll(self.limit):
                return self.connection.recv()
            reason = f"out of time: {self.limit:g} s"
        except (EOFError, OSError):
            reason = "the process died"
        self.stop()
        return {"verdict": self.lost, "reason": reason}
