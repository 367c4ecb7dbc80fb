"""`python -m classifier evaluate`."""

import json

from classifier import datasets, evaluation, inference
from runner import commandline
from runner.errors import ConfigError

DESCRIPTION = """Test a trained net on a split of its data, or classify images of yours.

  python -m classifier evaluate runs/a                    accuracy, loss, and what is taken for what
  python -m classifier evaluate runs/a --split validation
  python -m classifier evaluate runs/a --test-flip        average the logits of each image and its mirror image
  python -m classifier evaluate runs/a --image cat.jpg    the classes of a picture, most probable first"""

SPLITS = ("test", "validation", "train")


def add_options(parser):
    parser.add_argument("folder", metavar="DIR", help="the folder of a finished run")
    parser.add_argument("--split", choices=SPLITS, default="test", help="which images (default: test)")
    parser.add_argument("--image", nargs="+", metavar="FILE", help="pictures to classify; they are cut to squares")
    parser.add_argument("--data", help="cifar10, synthetic, or a path (default: that of the run)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps (default: auto)")
    parser.add_argument("--test-flip", action="store_true", help="average the logits of an image and its mirror image")
    commandline.add_output(parser)


def run(options):
    model = inference.load(options.folder, options.device, options.test_flip)
    found = _classified(model, options) if options.image else _tested(model, options)
    if options.quiet:
        return
    print(json.dumps(found, ensure_ascii=False) if options.json else _TEXTS[bool(options.image)](found))


def _tested(model, options):
    config = model.config
    dataset = datasets.load(options.data or config.data, config.validation, config.train_size or None)
    split = getattr(dataset, options.split)
    if not len(split):
        raise ConfigError(f"the run held out no {options.split} images; --split test, or a run with --validation 0.1")
    logits = inference.logits(model, split.images)
    score = evaluation.score(logits, split.labels)
    counts = evaluation.confusion(split.labels.numpy(), logits.argmax(1).numpy(), len(model.classes))
    return {
        "split": options.split,
        "n": len(split),
        "accuracy": score.accuracy,
        "loss": score.loss,
        "classes": list(model.classes),
        "confusion": counts.tolist(),
    }


def _classified(model, options):
    return [{"image": path, "classes": inference.classify(model, path)} for path in options.image]


def _test_text(found):
    score = f"accuracy {100 * found['accuracy']:.2f} %, loss {found['loss']:.4f}"
    lines = [f"{found['split']}: {found['n']:,} images, {score}"]
    width = max(map(len, found["classes"]))
    for place, (name, counts) in enumerate(zip(found["classes"], found["confusion"])):
        others = sorted(((n, found["classes"][k]) for k, n in enumerate(counts) if k != place and n), reverse=True)[:3]
        taken = ", ".join(f"{other} {n}" for n, other in others) or "-"
        lines.append(f"  {name:{width}}  {100 * counts[place] / max(sum(counts), 1):5.1f} %   taken for: {taken}")
    return "\n".join(lines)


def _image_text(found):
    return "\n".join(
        f"{f['image']}: " + ", ".join(f"{name} {100 * p:.1f} %" for name, p in list(f["classes"].items())[:3])
        for f in found
    )


_TEXTS = {False: _test_text, True: _image_text}
