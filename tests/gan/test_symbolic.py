"""gan/symbolic.py is what the engine of derivations writes, to the letter:

python tests/gan/test_symbolic.py > gan/symbolic.py
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from derivations.topics import gan as topic  # noqa: E402 (the path comes first)
from gan.losses import LOSSES  # noqa: E402

HEAD = '''"""The gradients of the 2-5-1 GAN as `derivations.topics.gan` derives them, in its generated code.

Written by tests/gan/test_symbolic.py, which compares; do not edit. Samples are rows: real R (B, 5), noise X (B, 2).
"""

import torch

'''
# After the functions.
TABLE = "# Loss -> the gradient by W_d that the discriminator ascends, the one by W_g that the generator descends."


def names(loss):
    """(what the discriminator ascends, what the generator descends) in the topic."""
    return "value" if loss.endswith("saturating") else f"{loss} value", loss


def functions():
    """(name, source of a function, sources of its helpers) for each gradient, once."""
    wanted = {}
    for loss in LOSSES:
        value, own = names(loss)
        wanted[_name(value, "W_d")] = (value, "W_d")
        wanted[_name(own, "W_g")] = (own, "W_g")
    for name, (loss, wrt) in wanted.items():
        code = topic.batch_gradient(wrt, loss).to_code("torch")
        parts = re.split(r"^(?=def )", code, flags=re.M)[1:]
        yield name, parts[-1].replace("def derivative(", f"def {name}("), parts[:-1]


def _name(loss, wrt):
    return f"{loss}_by_{wrt}".replace(" ", "_").replace("-", "_").lower()


def module():
    found = list(functions())
    helpers = dict.fromkeys(h.strip() for _, _, parts in found for h in parts)
    rows = []
    for loss in LOSSES:
        by_w_d, by_w_g = map(_name, names(loss), ("W_d", "W_g"))
        rows.append(f'    "{loss}": ({by_w_d}, {by_w_g}),')
    table = "\n".join([TABLE, "GRADIENTS = {", *rows, "}"])
    return HEAD + "\n" + "\n\n\n".join([*helpers, *(source.strip() for _, source, _ in found), table]) + "\n"


def test_the_module_is_what_the_engine_writes():
    assert (ROOT / "gan/symbolic.py").read_text() == module()


if __name__ == "__main__":
    sys.stdout.write(module())
