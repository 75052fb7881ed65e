#!/usr/bin/env python3
"""Writes the PyTorch files that Tests/TensorFilesTests reads, and what they should be read as.

    python3 scripts/make-torch-fixtures.py [FOLDER]

Needs torch, numpy and safetensors; nothing else in this repository does. Run it again only to add a case: the
fixtures are committed, and a new version of torch lays out its files differently.
"""

import argparse
import collections
import datetime
import functools
import io
import pathlib
import shutil
import sys
import zipfile

import safetensors
import safetensors.torch
import torch

DEFAULT = pathlib.Path(__file__).resolve().parent.parent / "Tests/TensorFilesTests/Fixtures"


class Speaker:
    """A class that no reader of tensors should ever create."""

    def __init__(self, name):
        self.name = name


def rewritten(source, target, method, change=lambda name, data: data):
    """The same members in another zip, as a third-party tool writes them."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", method) as new:
        for entry in old.infolist():
            data = change(entry.filename, old.read(entry))
            if data is not None:
                new.writestr(zipfile.ZipInfo(entry.filename), data, method)


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(87)
    tensors = {}  # file stem -> the one tensor it holds
    mel = torch.randn(23, 40)

    def save(stem, tensor, path=None, **options):
        torch.save(tensor, path or folder / f"{stem}.pt", **options)
        tensors[stem] = tensor.detach().clone().contiguous()

    save("plain", mel)
    # The 2022 homework's files were written through a file object: top folder "archive".
    buffer = io.BytesIO()
    save("archive_prefix", mel, buffer)
    (folder / "archive_prefix.pt").write_bytes(buffer.getvalue())
    save("view_offset", mel[5:12])
    save("view_column", mel[:, 3:7])
    save("transposed", mel.T)
    save("permuted", torch.arange(24.0).reshape(2, 3, 4).permute(2, 0, 1))
    save("parameter", torch.nn.Parameter(torch.randn(3, 4)))
    save("scalar", torch.tensor(2.5))
    save("empty", torch.zeros(0, 40))
    for stem, dtype in [
        ("float64", torch.float64), ("float16", torch.float16), ("bfloat16", torch.bfloat16),
        ("int64", torch.int64), ("int32", torch.int32), ("int16", torch.int16),
        ("int8", torch.int8), ("uint8", torch.uint8), ("bool", torch.bool),
    ]:
        save(stem, (torch.arange(12).reshape(3, 4) * 7 % 11).to(dtype))
    half = torch.tensor([0.0, -0.0, 1.0, -2.5, 65504.0, 6e-8, 6.1e-5, float("inf"), -float("inf")])
    save("float16_extremes", half.to(torch.float16))

    # State dicts.
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2))
    torch.save(model.state_dict(), folder / "state_dict.ckpt")
    tied = torch.randn(4, 3)
    shared = collections.OrderedDict(
        first=tied, again=tied, rows=tied[1:3], columns=tied.T, count=torch.tensor(7))
    torch.save(shared, folder / "shared.ckpt")
    torch.save({"b": torch.ones(2), "a": torch.zeros(1)}, folder / "plain_dict.ckpt")

    # As before PyTorch 1.6, and with pickles of later protocols.
    old = {"_use_new_zipfile_serialization": False}
    save("legacy", mel[:2], **old)
    save("legacy_transposed", mel[:6].T, **old)
    save("legacy_protocol4", mel[:2].clone(), pickle_protocol=4, **old)
    save("protocol4", mel[:2], pickle_protocol=4)
    save("protocol5", mel[:2].clone(), pickle_protocol=5)
    torch.save(shared, folder / "legacy_shared.ckpt", **old)
    torch.save(model.state_dict(), folder / "protocol4_state_dict.ckpt", pickle_protocol=4)

    # Whole checkpoints, with what trainers put beside the weights.
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.randn(8, 3)).sum().backward()
    optimizer.step()
    lightning = {
        "epoch": 3, "global_step": 1 << 40, "pytorch-lightning_version": "2.5.0",
        "state_dict": collections.OrderedDict(("model." + k, v) for k, v in model.state_dict().items()),
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 3}}}},
        "callbacks": {"ModelCheckpoint{'monitor': None}": {"best_model_score": torch.tensor(0.5), "dirpath": "x"}},
        "optimizer_states": [optimizer.state_dict()], "lr_schedulers": [],
        "hparams_name": "args", "hyper_parameters": argparse.Namespace(lr=1e-3, path=pathlib.PurePosixPath("a")),
        "seed": 1 << 100, "tags": {"a", "b"}, "frozen": frozenset([1]), "raw": b"bytes", "owner": Speaker("id00464"),
        "when": datetime.date(2026, 1, 1), "step": functools.partial(print, end=""), "counts": collections.Counter("ab"),
    }
    torch.save(lightning, folder / "lightning.ckpt")
    torch.save(lightning, folder / "lightning_protocol4.ckpt", pickle_protocol=4)
    torch.save(
        {"epoch": 3, "model_state_dict": model.state_dict(), "optimizer_state_dict": optimizer.state_dict(), "loss": 0.5},
        folder / "tutorial.ckpt", **old)

    # Files that must be refused.
    torch.save({"epoch": 3, "encoder": model.state_dict()}, folder / "nested.bad.ckpt")
    torch.save({"state_dict": {"weight": Speaker("id00464")}}, folder / "foreign_entry.bad.ckpt")
    torch.save({"weight": tied, "step": 5}, folder / "number.bad.ckpt")
    torch.save(Speaker("id00464"), folder / "custom_class.bad.pt")
    torch.save([mel[:2], mel[:3]], folder / "list.bad.pt")
    torch.save(torch.zeros(2, dtype=torch.complex64), folder / "complex.bad.pt")
    torch.save(torch.ones(1, 3).expand(1000, 3), folder / "expanded.bad.pt")
    torch.jit.script(torch.nn.Linear(2, 2)).save(folder / "torchscript.bad.pt")
    rewritten(folder / "plain.pt", folder / "deflated.bad.pt", zipfile.ZIP_DEFLATED)
    rewritten(
        folder / "plain.pt", folder / "big_endian.bad.pt", zipfile.ZIP_STORED,
        lambda name, data: b"big" if name.endswith("byteorder") else data)
    # The three records of PyTorch 1.6, stored by another tool: no alignment, sizes in the local headers, no zip64.
    rewritten(
        folder / "plain.pt", folder / "restored.pt", zipfile.ZIP_STORED,
        lambda name, data: data if name.endswith(("data.pkl", "data/0", "/version")) else None)
    tensors["restored"] = mel

    safetensors.torch.save_file(tensors, folder / "expected.safetensors", metadata={"torch": torch.__version__})
    for path in sorted(folder.glob("*.ckpt")):
        name = path.stem
        if name.endswith(".bad"):
            continue
        state = torch.load(path, weights_only=False)
        state = state.get("state_dict") or state.get("model_state_dict") or state
        safetensors.torch.save_file(
            {key: value.clone().contiguous() for key, value in state.items()}, folder / f"{name}.safetensors")
    (folder / "README.md").write_text(
        "Made by `scripts/make-torch-fixtures.py` with "
        f"torch {torch.__version__} and safetensors {safetensors.__version__}; committed, so that no test needs Python.\n\n"
        "- `NAME.pt` holds one tensor, equal to the tensor NAME of `expected.safetensors`.\n"
        "- `NAME.ckpt` is a state dict, or a checkpoint that holds one, equal to `NAME.safetensors`.\n"
        "- `NAME.bad.pt` and `NAME.bad.ckpt` must be refused with a message that says why.\n")
    shutil.rmtree(folder / "__pycache__", ignore_errors=True)


if __name__ == "__main__":
    main()
