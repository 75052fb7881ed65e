"""The homework notebook's training in PyTorch, on any directory in the homework's layout and any recipe.

The same dataset (torch.load of one file a sample), split, random crops, loaders, AdamW, warm-up and cosine,
validation on segments and prediction on whole utterances: what speakerid-dist's accuracy and speed are compared
with. Prints the notebook's lines, then steps/s and the accuracy on the validation split's segments and whole
utterances.

    python scripts/pytorch/train_notebook.py --config 003-sample --data DIR --steps 4000 --warmup 200
"""

import argparse
import json
import math
import pathlib
import random
import time

import numpy
import torch
from safetensors.torch import save_file

import configuration
import homework
import reference


def set_seed(seed):
    random.seed(seed)
    numpy.random.seed(seed)
    torch.manual_seed(seed)


def cosine_schedule_with_warmup(optimizer, warmup_steps, total_steps):
    """Linear from 0, then half a cosine to 0. The very first step has learning rate 0."""

    def factor(step):
        if step < warmup_steps:
            return step / max(1, warmup_steps)
        progress = (step - warmup_steps) / max(1, total_steps - warmup_steps)
        return max(0.0, 0.5 * (1.0 + math.cos(math.pi * progress)))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def evaluate_batch(model, batch):
    """Loss and accuracy of a batch."""
    mels, labels = batch
    logits = model(mels)
    return model.loss(logits, labels), (logits.argmax(1) == labels).float().mean()


def validate(model, loader):
    """Mean accuracy over the batches of random segments; prints the notebook's line."""
    model.eval()
    progress = homework.Progress("Valid", len(loader.dataset), "uttr")
    running_loss = running_accuracy = 0.0
    for i, batch in enumerate(loader, 1):
        with torch.no_grad():
            loss, accuracy = evaluate_batch(model, batch)
        running_loss += loss.item()
        running_accuracy += accuracy.item()
        values = {"loss": f"{running_loss / i:.2f}", "accuracy": f"{running_accuracy / i:.2f}"}
        progress.update(loader.batch_size, **values)
    progress.close()
    model.train()
    return running_accuracy / len(loader), running_loss / len(loader)


def whole_utterance_accuracy(model, subset):
    """Accuracy over whole utterances of the validation split, one at a time, as prediction sees them."""
    model.eval()
    correct = 0
    with torch.no_grad():
        for index in subset.indices:
            mel, label = subset.dataset.whole(index)
            correct += int(model(mel[None]).argmax(1).item() == label)
    model.train()
    return correct / len(subset)


def batches(loader):
    """The loader's batches, epoch after epoch."""
    while True:
        yield from loader


def train(model, loaders, settings):
    """Trains to the end; returns steps/s without the validations, and the best and last validation accuracy."""
    train_loader, valid_loader = loaders
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=settings["learning_rate"], weight_decay=settings["weight_decay"]
    )
    total_steps, valid_steps = settings["total_steps"], settings["valid_steps"]
    scheduler = cosine_schedule_with_warmup(optimizer, settings["warmup_steps"], total_steps)
    best, last, last_loss, seconds = -1.0, None, None, 0.0
    stream = batches(train_loader)
    model.train()
    for first in range(0, total_steps, valid_steps):
        steps = range(first + 1, min(first + valid_steps, total_steps) + 1)
        progress = homework.Progress("Train", len(steps), "step")
        start = time.monotonic()
        for step in steps:
            loss, accuracy = evaluate_batch(model, next(stream))
            loss.backward()
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
            progress.update(1, loss=f"{loss.item():.2f}", accuracy=f"{accuracy.item():.2f}", step=step)
        seconds += time.monotonic() - start
        progress.close()
        last, last_loss = validate(model, valid_loader)
        best = max(best, last)
        if steps[-1] % settings["save_steps"] == 0 or steps[-1] == total_steps:
            print(f"Step {steps[-1]}, best model saved. (accuracy={best:.4f})", flush=True)
    return {
        "steps_per_s": total_steps / seconds,
        "best_valid_accuracy": best,
        "valid_accuracy": last,
        "valid_loss": last_loss,
    }


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--config", required=True, help="a file, or a recipe's name")
    arguments.add_argument("--data", required=True, type=pathlib.Path)
    arguments.add_argument("--steps", type=int, help="instead of train.total_steps")
    arguments.add_argument("--warmup", type=int, help="instead of train.warmup_steps")
    arguments.add_argument("--valid-steps", type=int, help="instead of train.valid_steps")
    arguments.add_argument("--seed", type=int, help="instead of train.seed")
    arguments.add_argument("--threads", type=int, default=0, help="0: as many as PyTorch likes")
    arguments.add_argument("--workers", type=int, default=0, choices=(0, 1, 2), help="of the data loaders")
    arguments.add_argument("--weights-out", type=pathlib.Path, help="the last weights, as safetensors")
    arguments.add_argument("--output", type=pathlib.Path, help="the submission for testdata.json")
    arguments.add_argument("--json", type=pathlib.Path, help="write the figures here too")
    options = arguments.parse_args()

    resolved = configuration.load(options.config)
    given = {
        "total_steps": options.steps,
        "warmup_steps": options.warmup,
        "valid_steps": options.valid_steps,
        "seed": options.seed,
    }
    settings = resolved["train"] | {key: value for key, value in given.items() if value is not None}
    if options.threads:
        torch.set_num_threads(options.threads)
    set_seed(settings["seed"])
    print("[Info]: Use cpu now!")
    dataset = homework.Speakers(options.data, settings["segment_length"])
    loaders = homework.loaders(dataset, settings["batch_size"], options.workers)
    print("[Info]: Finish loading data!")
    model = reference.SpeakerNet(resolved["model"], dataset.speakers)
    print("[Info]: Finish creating model!", flush=True)

    figures = {"recipe": pathlib.Path(options.config).stem, "threads": torch.get_num_threads(), "steps": settings["total_steps"]}
    figures |= train(model, loaders, settings)
    if options.weights_out:
        save_file(reference.once(model), options.weights_out)
    start = time.monotonic()
    valid = loaders[1].dataset
    figures["whole_accuracy"] = whole_utterance_accuracy(model, valid)
    figures["whole_utterances_per_s"] = len(valid) / (time.monotonic() - start)
    if options.output:
        model.eval()
        with torch.no_grad():
            homework.write_predictions(model, options.data, options.output)
    for key, value in figures.items():
        print(f"{key}: {value:.4f}" if isinstance(value, float) else f"{key}: {value}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
