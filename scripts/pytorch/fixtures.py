"""Makes Tests/SpeakerNetTests/Fixtures/*.safetensors: every recipe, small, as PyTorch computes it.

All references are computed in double precision and stored as float32, so that a test measures the Swift
program's rounding and not PyTorch's. What a file holds is in Fixtures/README.md.

    python scripts/pytorch/fixtures.py [--output DIR] [--only NAME]
"""

import argparse
import copy
import json
import math
import pathlib
import platform
import zlib

import numpy
import safetensors
import torch
from safetensors.torch import save_file

import cases
import configuration
import reference
import torchaudio_source

SPEAKERS = 7
BATCH, FRAMES = 4, 20
STEPS, WARMUP_STEPS, LEARNING_RATE, WEIGHT_DECAY = 10, 3, 1e-3, 0.01

# Other lengths, for one recipe of each encoder; those with 400 frames are narrow, to stay small.
LENGTHS = (1, 7, 400)
LENGTHS_OF = ("003-2layers", "003-sap-full64", "004-task1", "004-task2")



def reduced(model, name, narrow):
    """The recipe's network with all its parts and its layers (three at most), small in every width."""
    model = copy.deepcopy(model)
    encoder = model["encoder"]
    encoder["layers"] = min(encoder["layers"], 3)
    encoder["dropout"] = 0.0
    encoder["feedforward"] = 20
    if encoder["kind"] == "conformer" and name != "003-sap-full64":
        encoder["kernel"] = 7
    if narrow:
        model["d_model"] = 8
    elif encoder["heads"] == 16:
        model["d_model"] = 32
    else:
        model["d_model"] = 24 if encoder["kind"] == "transformer" and encoder["heads"] != 2 else 16
    if model["pooling"]["kind"] == "sap_full":
        model["pooling"]["attention"] //= 8
    return model


def schedule(step):
    """The notebook's warm-up and cosine, as a factor of the learning rate."""
    if step < WARMUP_STEPS:
        return step / WARMUP_STEPS
    progress = (step - WARMUP_STEPS) / (STEPS - WARMUP_STEPS)
    return max(0.0, 0.5 * (1 + math.cos(math.pi * progress)))


class Run:
    """One network on one batch in one precision: a training pass, an evaluation, ten optimizer steps."""

    def __init__(self, model, state, mels, labels, dtype, train):
        net = cases.network(model, SPEAKERS, state, dtype)
        mels = mels.to(dtype)
        self.loss, self.logits, self.gradients = cases.training_pass(net, mels, labels)
        self.buffers = cases.copied(dict(net.named_buffers()))

        reference.load_once(net, state)
        net.eval()
        with torch.no_grad():
            self.eval_logits = net(mels)
        if not train:
            return

        reference.load_once(net, state)
        net.train()
        optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule)
        self.step_losses, self.learning_rates = [], []
        for _ in range(STEPS):
            optimizer.zero_grad()
            loss = net.loss(net(mels), labels)
            loss.backward()
            self.step_losses.append(loss.item())
            self.learning_rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        self.after_steps = cases.copied(reference.once(net))


def noise(ranges):
    """The same by tensor of the file: AdamW turns a gradient of pure noise into a step of ordinary size, and a
    BatchNorm's running mean follows the bias before it."""
    result = {}
    for name, (start, end) in ranges.items():
        result[f"grad.{name}"] = result[f"step10.{name}"] = [start, end]
        if ".conv_module." in name:
            result["step10." + name.replace("sequential.2.bias", "sequential.3.running_mean")] = [start, end]
    return result


def check_noise(gradients, holes):
    """In float64 the elements called noise must indeed be next to nothing beside the whole gradient."""
    norm = math.sqrt(sum(float(gradient.square().sum()) for gradient in gradients.values()))
    for key, (start, end) in holes.items():
        if key.startswith("grad."):
            largest = gradients[key.removeprefix("grad.")].flatten()[start:end].abs().max().item()
            assert largest < 1e-10 * norm, f"{key}: {largest} is not noise beside {norm}"


def make(model, frames, train, seed):
    """One fixture: its tensors, its metadata, and how far float32 PyTorch is from it."""
    state, mels, labels = cases.draw(model, SPEAKERS, BATCH, frames, seed)

    exact = Run(model, state, mels, labels, torch.float64, train)
    rounded = Run(model, state, mels, labels, torch.float32, train)
    holes = noise(cases.vanishing(state))
    check_noise(exact.gradients, holes)

    tensors = {"mels": mels, "labels": labels, "loss": exact.loss.reshape(1), "logits": exact.logits}
    tensors |= {f"param.{key}": value for key, value in state.items()}
    tensors |= {f"grad.{key}": value for key, value in exact.gradients.items()}
    tensors |= {f"buffer_after.{key}": value for key, value in exact.buffers.items()}
    tensors["eval_logits"] = exact.eval_logits
    metadata = {
        "model": json.dumps(model),
        "torch": torch.__version__,
        "computed_in": "float64, stored as float32",
        "noise": json.dumps({key: hole for key, hole in holes.items() if train or key.startswith("grad.")}),
    }
    results = ("loss", "logits", "eval_logits")
    distances = {key: cases.relative(getattr(rounded, key), getattr(exact, key)) for key in results}
    for key, gradient in exact.gradients.items():
        distances[f"grad.{key}"] = cases.relative(rounded.gradients[key], gradient, holes.get(f"grad.{key}"))
    if train:
        tensors |= {f"step10.{key}": value for key, value in exact.after_steps.items()}
        tensors["step_losses"] = torch.tensor(exact.step_losses, dtype=torch.float64)
        settings = {
            "steps": STEPS,
            "warmup_steps": WARMUP_STEPS,
            "learning_rate": LEARNING_RATE,
            "weight_decay": WEIGHT_DECAY,
            "learning_rates": exact.learning_rates,
        }
        metadata["train"] = json.dumps(settings)
        for key, value in exact.after_steps.items():
            distances[f"step10.{key}"] = cases.relative(rounded.after_steps[key], value, holes.get(f"step10.{key}"))
        for a, b in zip(rounded.step_losses, exact.step_losses):
            distances["step_losses"] = max(distances.get("step_losses", 0), abs(a - b) / b)
    stored = {key: (value.float() if value.is_floating_point() else value) for key, value in tensors.items()}
    return {key: value.contiguous() for key, value in stored.items()}, metadata, distances


def sort_header(path):
    """Orders a safetensors file's header, which the library writes in a random order: the same bytes every time."""
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8:end]), sort_keys=True, separators=(",", ":")).encode()
    assert len(header) <= end - 8, f"{path}: the header grew"
    path.write_bytes(content[:8] + header.ljust(end - 8) + content[end:])


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = configuration.REPOSITORY / "Tests/SpeakerNetTests/Fixtures"
    arguments.add_argument("--output", type=pathlib.Path, default=default)
    arguments.add_argument("--only", help="make the files of this recipe only")
    options = arguments.parse_args()
    torch.backends.mha.set_fastpath_enabled(False)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)

    wanted = [(name, FRAMES) for name in configuration.recipes()]
    wanted += [(name, frames) for name in LENGTHS_OF for frames in LENGTHS]
    total = 0
    for name, frames in wanted:
        if options.only not in (None, name):
            continue
        model = configuration.recipes()[name]["configuration"]["model"]
        model = reduced(model, name, narrow=frames == 400)
        stem = name if frames == FRAMES else f"{name}-t{frames}"
        for seed in range(cases.SEEDS):
            tensors, metadata, distances = make(
                model, frames, frames == FRAMES, seed=zlib.crc32(f"{stem} {seed}".encode())
            )
            worst = max(distances, key=distances.get)
            if distances[worst] < cases.WELL_CONDITIONED:
                break
        else:
            raise SystemExit(f"{stem}: with each of {cases.SEEDS} seeds float32 is far off, now in {worst}")
        path = options.output / f"{stem}.safetensors"
        save_file(tensors, path, metadata)
        sort_header(path)
        size = path.stat().st_size
        total += size
        print(f"{stem:21} {size:>8,} bytes, seed {seed}: float32 is off by {distances[worst]:.1e} in {worst}")
    print(f"{total:,} bytes in all")
    versions = {
        "Python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "safetensors": safetensors.__version__,
        "torchaudio (conformer.py)": torchaudio_source.VERSION,
    }
    print("made with " + ", ".join(f"{name} {version}" for name, version in versions.items()))


if __name__ == "__main__":
    main()
