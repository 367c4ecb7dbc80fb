"""What a person, or a program, sees of a training while it goes on. Each reporter takes the same four calls."""

import json
import sys

from tqdm import tqdm


class Silent:
    """Says nothing."""

    def start(self, n_images, n_done):
        """Images to train on in all epochs, and those done before a resume."""

    def block(self, n_images, epoch, loss, accuracy):
        """After some mini-batches: how many images, and the running loss and accuracy."""

    def record(self, record):
        """A line of history.jsonl."""

    def stop(self):
        """The training is over, or interrupted."""


class Bar(Silent):
    """A progress bar with epoch, loss, accuracy, images per second and time left, on standard error."""

    def __init__(self, n_epochs):
        self.n_epochs, self.bar = n_epochs, None

    def start(self, n_images, n_done):
        self.bar = tqdm(total=n_images, initial=n_done, unit=" images", unit_scale=True, smoothing=0.05)

    def block(self, n_images, epoch, loss, accuracy):
        self.bar.set_description(f"epoch {epoch}/{self.n_epochs}", refresh=False)
        self.bar.set_postfix_str(f"loss {loss:.3f}, accuracy {100 * accuracy:.1f} %", refresh=False)
        self.bar.update(n_images)

    def record(self, record):
        if record["kind"] == "epoch" and record["validation_accuracy"] is not None:
            accuracy, loss = record["validation_accuracy"], record["validation_loss"]
            tqdm.write(
                f"epoch {record['epoch']}: validation accuracy {100 * accuracy:.2f} %, loss {loss:.4f}", file=sys.stderr
            )

    def stop(self):
        if self.bar is not None:
            self.bar.close()


class Json(Silent):
    """The lines of history.jsonl on standard output, as they come."""

    def record(self, record):
        print(json.dumps(record), flush=True)
