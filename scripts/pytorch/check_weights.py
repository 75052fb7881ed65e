"""Carries weights between PyTorch and speakerid-dist, recipe by recipe, and trains on from them.

For each recipe at full size, with random weights:

1. `torch.save(model.state_dict())`, as the notebook does, here with the names that its models carry without using
   them (the template layer beside the encoder); `convert` makes safetensors of it: the same bits under the same names.
2. `convert` makes a .ckpt of what `safetensors.torch.save_model` writes; `torch.load(weights_only=True)` reads it, with
   every name of the model's state dict.
3. `train --weights` continues from the .ckpt. With next to no learning rate the weights it saves are those it was given,
   and its step changes them otherwise. `safetensors.torch.load_model(strict=True)` takes what it saved, and
   `load_state_dict(strict=True)` the .ckpt that `convert` makes of it.
"""

import argparse
import pathlib
import subprocess
import tempfile

import torch
from safetensors.torch import load_file, load_model, save_model

import cases
import configuration

SPEAKERS = 6


class Program:
    def __init__(self, path):
        self.path = str(path)

    def __call__(self, *arguments):
        finished = subprocess.run([self.path, *map(str, arguments)], capture_output=True, text=True)
        if finished.returncode != 0:
            raise SystemExit(f"exit status {finished.returncode}: {arguments}: {finished.stderr.strip()}")


def dead_names(net, state):
    """What the notebook's file holds besides: its template layer, under the name the model itself does not use."""
    if hasattr(net, "encoder") and "encoder.layers.0.linear1.weight" in state and not hasattr(net, "encoder_layer"):
        prefix = "encoder.layers.0."
        return {"encoder_layer." + name.removeprefix(prefix): torch.randn_like(tensor)
                for name, tensor in state.items() if name.startswith(prefix) and tensor.is_floating_point()}
    if hasattr(net, "encoder"):
        return {"encoder_layer.dead.weight": torch.randn(3, 3)}
    prefix = "encoder_layer."
    dead = {"encoder.layers.0." + name.removeprefix(prefix): torch.randn_like(tensor)
            for name, tensor in state.items() if name.startswith(prefix)}
    return dead or {"encoder_layer.linear1.weight": torch.randn(3, 3)}


def differing(found, expected):
    """Names that are in one only, or differ in a bit, a shape or a type."""
    names = sorted(found.keys() ^ expected.keys())
    return names + [name for name in found.keys() & expected.keys()
                    if found[name].dtype != expected[name].dtype or not torch.equal(found[name], expected[name])]


def check(program, name, data, directory):
    model = configuration.load(name)["model"]
    state, _, _ = cases.draw(model, SPEAKERS, 2, 8, seed=1)
    net = cases.network(model, SPEAKERS, state, torch.float32)
    full = {key: tensor.detach().clone() for key, tensor in net.state_dict().items()}
    dead = dead_names(net, full)
    faults = []

    imported, exported = directory / "imported.safetensors", directory / "exported.ckpt"
    torch.save(net.state_dict() | dead, directory / "model.ckpt")
    program("convert", directory / "model.ckpt", imported)
    found = load_file(imported)
    faults += [f"from .ckpt: {key}" for key in differing({k: v for k, v in found.items() if k in state}, state)]

    save_model(net, str(directory / "saved.safetensors"))
    program("convert", directory / "saved.safetensors", exported)
    faults += [f"to .ckpt: {key}" for key in differing(torch.load(exported, weights_only=True), full)]

    for rate, changes in ((1e-30, False), (1e-3, True)):
        run = directory / f"run-{rate}"
        settings = {"total_steps": 2, "valid_steps": 2, "save_steps": 2, "warmup_steps": 1, "learning_rate": rate,
                    "weight_decay": 0}
        overrides = [part for key, value in settings.items() for part in ("--set", f"train.{key}={value}")]
        program("train", "--config", name, "--data", data, "--run", run, "--weights", directory / "model.ckpt", *overrides)
        saved = load_file(run / "checkpoints/step-00000002/model.safetensors")
        parameters = {key for key, _ in net.named_parameters()}
        moved = [key for key in differing(saved, state) if key in parameters]
        # The run's own file: as it is, and as a PyTorch file under every name.
        load_model(net, str(run / "best/model.safetensors"), strict=True)
        program("convert", run / "best/model.safetensors", exported)
        net.load_state_dict(torch.load(exported, weights_only=True), strict=True)
        if bool(moved) != changes:
            faults.append(f"train --weights, learning rate {rate}: {len(moved)} parameters have moved")
    return len(full), len(dead), faults


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--program", type=pathlib.Path, required=True)
    options = parser.parse_args()
    program, failed = Program(options.program.resolve()), False
    with tempfile.TemporaryDirectory() as scratch:
        data = pathlib.Path(scratch) / "data"
        program("synthesize", "--output", data, "--speakers", SPEAKERS, "--utterances", 60)
        for name in options.names:
            with tempfile.TemporaryDirectory() as directory:
                names, dead, faults = check(program, name, data, pathlib.Path(directory))
            failed |= bool(faults)
            print(f"{name:22} {names:3} names, {dead:2} dead ones: {'; '.join(faults) or 'ok'}", flush=True)
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
