"""Work in a process of its own, which is replaced when it hangs or dies."""

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
    """Asks `work`, a function of a module, within `limit` seconds; `lost` is the verdict where nothing comes."""

    def __init__(self, work, limit, lost):
        self.work, self.limit, self.lost, self.process = work, limit, lost, None

    def start(self):
        # Not forked: torch has threads, and a fork of them may hang.
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=serve, args=(other, self.work), daemon=True)
        self.process.start()
        other.close()
        if not self.connection.poll(START_LIMIT) or self.connection.recv() != "ready":
            raise SystemExit("the worker process did not start")

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.join()
            self.process = None

    def ask(self, question):
        """What the work gives, or the verdict and why nothing came."""
        if not self.process:
            self.start()
        self.connection.send(question)
        try:
            if self.connection.poll(self.limit):
                return self.connection.recv()
            reason = f"out of time: {self.limit:g} s"
        except EOFError:
            reason = "the process died"
        self.stop()
        return {"verdict": self.lost, "reason": reason}
