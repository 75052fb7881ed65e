#!/usr/bin/env python3
"""Makes Tests/SpeechDataTests/Fixtures/frontend.safetensors, what LogMel is compared with.

    python scripts/make-frontend-fixture.py --torchaudio-functional .../torchaudio/functional/functional.py

Written with torch 2.13.0 and the melscale_fbanks of torchaudio 2.11.0, read from its source file, so that
the compiled library need not load. For every signal NAME the file holds

    NAME.samples   F32 [n]      audio at 16 kHz
    NAME.float32   F32 [T,40]   MelSpectrogram + clamp(min=1e-9) + log as torchaudio computes it
    NAME.float64   F32 [T,40]   the same formula and filters in double precision, rounded at the end

and `filterbank` F32 [201,40]. A signal of 200 samples or fewer is more than torch.stft can mirror: its
padding is numpy.pad's, and its name begins with `short`.
"""

import argparse
import ast
import math
import pathlib

import numpy as np
import torch
from safetensors.torch import save_file


def torchaudio_filterbank(source: str) -> torch.Tensor:
    """melscale_fbanks from torchaudio's own source, without importing the package."""
    wanted = {"_hz_to_mel", "_mel_to_hz", "_create_triangular_filterbank", "melscale_fbanks"}
    tree = ast.parse(pathlib.Path(source).read_text())
    tree.body = [node for node in tree.body if getattr(node, "name", None) in wanted]
    scope = {"torch": torch, "math": math, "Tensor": torch.Tensor, "Optional": __import__("typing").Optional}
    exec(compile(tree, source, "exec"), scope)
    return scope["melscale_fbanks"](201, 50.0, 8000.0, 40, 16000, norm=None, mel_scale="htk")


def log_mel(samples: np.ndarray, filterbank: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """MelSpectrogram(16000, n_fft=400, hop_length=160, f_min=50, n_mels=40), clamp, log: [T, 40]."""
    center = len(samples) > 200
    if not center:
        samples = np.pad(samples, 200, mode="reflect")
    spectrum = torch.stft(
        torch.from_numpy(samples).to(dtype), n_fft=400, hop_length=160, win_length=400,
        window=torch.hann_window(400, dtype=dtype), center=center, pad_mode="reflect", normalized=False,
        onesided=True, return_complex=True)
    power = spectrum.abs().pow(2.0)
    mel = torch.matmul(power.transpose(-1, -2), filterbank.to(dtype))
    return mel.clamp(min=1e-9).log().float().contiguous()


def signals() -> dict[str, np.ndarray]:
    random = np.random.default_rng(87)
    t = np.arange(8000) / 16000.0
    # Voiced speech as a crude picture: harmonics of a gliding pitch under a formant-like slope, with
    # pauses of faint hiss, so that loud and quiet frames stand side by side.
    pitch = 2 * np.pi * np.cumsum(110 + 40 * np.sin(2 * np.pi * 1.5 * t)) / 16000
    voice = sum(np.sin(k * pitch) / k for k in range(1, 60)) * (np.sin(2 * np.pi * 3 * t) > -0.3) * 0.15
    return {
        "noise": 0.1 * random.standard_normal(8000),
        "loudNoise": random.uniform(-1, 1, 3199),
        "chirp": 0.5 * np.sin(2 * np.pi * (50 * t + 0.5 * 15800 * t * t)),
        "speechLike": voice + 1e-3 * random.standard_normal(8000),
        # Around the floor of 1e-9: some bands under it, some over it.
        "nearSilence": 2e-6 * random.standard_normal(4000),
        "silence": np.zeros(1600),
        "justMirrored": 0.1 * random.standard_normal(201),
        "short200": 0.1 * random.standard_normal(200),
        "short160": 0.1 * random.standard_normal(160),
        "short7": 0.1 * random.standard_normal(7),
        "short1": np.array([0.25]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torchaudio-functional", required=True, metavar="FILE")
    parser.add_argument("--output", default="Tests/SpeechDataTests/Fixtures/frontend.safetensors")
    arguments = parser.parse_args()

    filterbank = torchaudio_filterbank(arguments.torchaudio_functional)
    tensors = {"filterbank": filterbank.contiguous()}
    for name, samples in signals().items():
        samples = samples.astype(np.float32)
        single = log_mel(samples, filterbank, torch.float32)
        double = log_mel(samples, filterbank, torch.float64)
        tensors |= {
            f"{name}.samples": torch.from_numpy(samples), f"{name}.float32": single, f"{name}.float64": double}
        print(f"{name:13s} {list(single.shape)} |float32 - float64| <= {(single - double).abs().max():.2e}, "
              f"min {single.min():.2f} max {single.max():.2f}")
    save_file(tensors, arguments.output)


if __name__ == "__main__":
    main()
