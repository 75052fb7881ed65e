#!/usr/bin/env python3
"""Writes Tests/SpeechDataTests/Fixtures/features: utterances as torch.save leaves them when the tensor is a view.

Made with torch 2.13.0+cpu. Element [t, b] of file number n is 1000 n + t + b / 64, as in TestCorpus.swift.
"""
import pathlib

import torch

folder = pathlib.Path(__file__).parent.parent / "Tests/SpeechDataTests/Fixtures/features"
folder.mkdir(parents=True, exist_ok=True)


def values(number, first, frames, first_bin=0, bins=40):
    t = torch.arange(first, first + frames, dtype=torch.float32)[:, None]
    b = torch.arange(first_bin, first_bin + bins, dtype=torch.float32)[None, :]
    return 1000 * number + t + b / 64


# What `wav2mel(...).T` without contiguous() gives: columns one behind the other. Longer than the reader's stretch.
torch.save(values(0, 0, 300).T.contiguous().T, folder / "transposed.pt")
# A piece out of the middle: torch.save writes the whole storage.
torch.save(values(1, -3, 30)[3:23], folder / "cut.pt")
# 40 of 50 bins.
torch.save(values(2, 0, 25, first_bin=-4, bins=50)[:, 4:44], folder / "bins.pt")
# A transposed piece: both at once.
torch.save(values(3, -2, 60).T.contiguous().T[2:52], folder / "transposed_cut.pt")
# Every second frame and bin: a view that is neither rows nor columns.
torch.save(torch.zeros(20, 80)[:, ::2], folder / "every_second_bin.pt")
