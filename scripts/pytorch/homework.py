"""The homework notebook's data: its directory, dataset, split, loaders, and the lines that it prints."""

import csv
import json
import math
import pathlib
import random
import sys
import time

import torch
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset, Subset, random_split

PADDING = -20  # about silence; the notebook's choice


def read_json(path):
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise SystemExit(f"{path}: no such file; expected the homework's directory")


class Speakers(Dataset):
    """Every utterance of metadata.json in its order; longer ones are cropped to a random segment."""

    def __init__(self, directory, segment_length):
        self.directory = pathlib.Path(directory)
        self.segment_length = segment_length
        self.ids = read_json(self.directory / "mapping.json")["speaker2id"]
        speakers = read_json(self.directory / "metadata.json")["speakers"]
        self.speakers = len(speakers)
        self.utterances = [
            (entry["feature_path"], self.ids[name]) for name, entries in speakers.items() for entry in entries
        ]

    def __len__(self):
        return len(self.utterances)

    def whole(self, index):
        """mels [T, 40] and label of a whole utterance."""
        path, label = self.utterances[index]
        return torch.load(self.directory / path, weights_only=True).float(), label

    def __getitem__(self, index):
        mel, label = self.whole(index)
        if len(mel) > self.segment_length:
            start = random.randint(0, len(mel) - self.segment_length)
            mel = mel[start : start + self.segment_length]
        return mel, label


def collate(samples):
    mels, labels = zip(*samples)
    return pad_sequence(mels, batch_first=True, padding_value=PADDING), torch.tensor(labels)


def loaders(dataset, batch_size, workers):
    """The notebook's 90/10 split and its two loaders: (train, valid). Both drop an incomplete last batch."""
    train_length = int(0.9 * len(dataset))
    train, valid = random_split(dataset, [train_length, len(dataset) - train_length])
    if len(valid) < batch_size:
        raise SystemExit(f"{len(valid)} validation utterances do not fill one batch of {batch_size}")
    common = {"batch_size": batch_size, "drop_last": True, "num_workers": workers, "collate_fn": collate}
    return DataLoader(train, shuffle=True, **common), DataLoader(valid, **common)


def write_predictions(model, directory, path):
    """The homework's submission: whole utterances of testdata.json in its order, one at a time."""
    directory = pathlib.Path(directory)
    names = read_json(directory / "mapping.json")["id2speaker"]
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Id", "Category"])
        for entry in read_json(directory / "testdata.json")["utterances"]:
            mel = torch.load(directory / entry["feature_path"], weights_only=True).float()
            writer.writerow([entry["feature_path"], names[str(model(mel[None]).argmax(1).item())]])


class Progress:
    """The notebook's tqdm line (ncols=0): redrawn on a terminal, once when it is complete elsewhere."""

    def __init__(self, description, total, unit):
        self.description, self.total, self.unit = description, total, unit
        self.count, self.start, self.drawn, self.postfix = 0, time.monotonic(), 0.0, {}

    def update(self, count, **postfix):
        self.count += count
        self.postfix = postfix
        now = time.monotonic()
        if sys.stdout.isatty() and now - self.drawn > 0.1:
            self.drawn = now
            print(f"\r{self}", end="", flush=True)

    def close(self):
        print(f"\r{self}" if sys.stdout.isatty() else f"{self}", flush=True)

    def __str__(self):
        elapsed = time.monotonic() - self.start
        rate = self.count / elapsed
        left = (self.total - self.count) / rate if rate else math.inf
        speed = f"{rate:5.2f} {self.unit}/s" if rate >= 1 else f"{1 / rate:5.2f}s/ {self.unit}"
        values = "".join(f", {key}={shown(value)}" for key, value in sorted(self.postfix.items()))
        percent = f"{100 * self.count / self.total:3.0f}%"
        clocks = f"{clock(elapsed)}<{clock(left)}"
        return f"{self.description}: {percent} {self.count}/{self.total} [{clocks}, {speed}{values}]"


def shown(value):
    """A number as tqdm shows it in a postfix (10000 is 1e+4); a string as it is."""
    if isinstance(value, str):
        return value
    short = f"{value:.3g}".replace("e+0", "e+").replace("e-0", "e-")
    return short if len(short) < len(str(value)) else str(value)


def clock(seconds):
    """mm:ss, or h:mm:ss from an hour on."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}"
