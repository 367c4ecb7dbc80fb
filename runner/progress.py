"""What a person, or a program, sees of a training while it goes on. Each reporter takes the same four calls."""

import json
import sys

from tqdm import tqdm


class Silent:
    """Says nothing."""

    def start(self, total, done):
        """How much there is to do, and how much of it was done before a resume."""

    def advance(self, amount, place, figures):
        """After some of it: how much, where the training is, and its running figures, both as text."""

    def record(self, record):
        """A line of history.jsonl."""

    def stop(self):
        """The training is over, or interrupted."""


class Bar(Silent):
    """A progress bar with place, figures, speed and time left, on standard error.

    told: what is worth a line of its own, from a record to text, or to None.
    """

    def __init__(self, unit, told=lambda record: None):
        self.unit, self.told, self.bar = unit, told, None

    def start(self, total, done):
        self.bar = tqdm(total=total, initial=done, unit=f" {self.unit}", unit_scale=True, smoothing=0.05)

    def advance(self, amount, place, figures):
        self.bar.set_description(place, refresh=False)
        self.bar.set_postfix_str(figures, refresh=False)
        self.bar.update(amount)

    def record(self, record):
        text = self.told(record)
        if text:
            tqdm.write(text, file=sys.stderr)

    def stop(self):
        if self.bar is not None:
            self.bar.close()


class Json(Silent):
    """The lines of history.jsonl on standard output, as they come."""

    def record(self, record):
        print(json.dumps(record), flush=True)
