"""One PyTorch process whose speed is measured, told what to do line by line on standard input.

Started by compare.py, alone or as one of several ranks of DistributedDataParallel over gloo. Everything that is not
the step itself is made as cheap as it can be: the utterances are in memory before a clock starts, and no loader
processes take a core from the network.

    train N      N steps: random crops, forward, loss and accuracy, backward, AdamW, schedule
    validate N   N passes over this rank's share of the validation split's segments, in batches of 32
    infer N      N passes over this rank's share of the test utterances, whole, one at a time

Each answers with one line of JSON: {"seconds", "count", "peak_rss_mib"}, count being steps or utterances.
"""

import argparse
import json
import os
import pathlib
import random
import resource
import sys
import time

import torch
from torch import distributed

import configuration
import homework
import reference
from train_notebook import cosine_schedule_with_warmup


class Data:
    """A directory in the homework's layout, in memory, but for what is not asked for."""

    def __init__(self, directory, segment_length, seed):
        dataset = homework.Speakers(directory, segment_length)
        self.speakers, self.segment_length = dataset.speakers, segment_length
        torch.manual_seed(seed)
        order = torch.randperm(len(dataset)).tolist()
        split = int(0.9 * len(dataset))
        self.train = [dataset.whole(index) for index in order[:split]]
        self.valid = [dataset[index] for index in order[split:]]
        tests = homework.read_json(pathlib.Path(directory) / "testdata.json")["utterances"]
        self.tests = [
            torch.load(pathlib.Path(directory) / entry["feature_path"], weights_only=True).float() for entry in tests
        ]

    def batch(self, size):
        """A random training batch: mels [size, segment_length, 40], labels [size]."""
        return homework.collate([self.crop(random.choice(self.train)) for _ in range(size)])

    def crop(self, sample):
        mel, label = sample
        start = random.randint(0, max(0, len(mel) - self.segment_length))
        return mel[start : start + self.segment_length], label


class Process:
    def __init__(self, options):
        settings = configuration.load(options.config)
        self.train_settings = settings["train"]
        self.rank, self.ranks = options.rank, options.ranks
        self.data = Data(options.data, self.train_settings["segment_length"], self.train_settings["seed"])
        random.seed(self.train_settings["seed"] + options.rank)
        self.model = reference.SpeakerNet(settings["model"], self.data.speakers)
        self.wrapped = self.model
        if self.ranks > 1:
            distributed.init_process_group("gloo", rank=self.rank, world_size=self.ranks)
            # Report 004's unused Norm2 never gets a gradient, which DDP must be told of.
            unused = settings["model"]["encoder"]["kind"] == "shared_transformer"
            self.wrapped = torch.nn.parallel.DistributedDataParallel(self.model, find_unused_parameters=unused)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=self.train_settings["learning_rate"],
            weight_decay=self.train_settings["weight_decay"],
        )
        self.scheduler = cosine_schedule_with_warmup(self.optimizer, 1000, 70000)

    def train(self, steps):
        self.wrapped.train()
        for _ in range(steps):
            mels, labels = self.data.batch(self.train_settings["batch_size"] // self.ranks)
            logits = self.wrapped(mels)
            loss = self.model.loss(logits, labels)
            accuracy = (logits.argmax(1) == labels).float().mean()
            loss.item(), accuracy.item()
            loss.backward()
            self.optimizer.step()
            self.scheduler.step()
            self.optimizer.zero_grad()
        return steps

    def mine(self, items):
        return items[self.rank :: self.ranks]

    @torch.inference_mode()
    def validate(self, passes):
        self.model.eval()
        valid = self.mine(self.data.valid)
        for _ in range(passes):
            for start in range(0, len(valid), 32):
                mels, labels = homework.collate(valid[start : start + 32])
                logits = self.model(mels)
                self.model.loss(logits, labels).item(), (logits.argmax(1) == labels).float().mean().item()
        return passes * len(valid)

    @torch.inference_mode()
    def infer(self, passes):
        self.model.eval()
        tests = self.mine(self.data.tests)
        for _ in range(passes):
            for mel in tests:
                self.model(mel[None]).argmax(1).item()
        return passes * len(tests)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--rank", type=int, default=0)
    parser.add_argument("--ranks", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    # Standard output is kept for answers, whatever a library prints.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    process = Process(options)
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        what, count = line.split()
        if process.ranks > 1:
            distributed.barrier()
        start = time.perf_counter()
        done = getattr(process, what)(int(count))
        if process.ranks > 1:
            distributed.barrier()
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": seconds, "count": done, "peak_rss_mib": peak}), file=answers, flush=True)


if __name__ == "__main__":
    main()
