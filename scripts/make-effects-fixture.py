#!/usr/bin/env python3
"""Makes Tests/AudioTests/Fixtures/effects.safetensors, what the augmentation of sound is compared with.

    python scripts/make-effects-fixture.py

    signal         F32 [3000]
    noise          F32 [3000]
    response       F32 [700]          a room's, with a delay and a negative peak
    longResponse   F32 [4000]         longer than the signal
    convolution    F32 [3699]         scipy.signal.fftconvolve(signal, response)
    none, peak     F32 [3000]         reverberation by WeSpeaker's formula, and by Kaldi's wav-reverberate
    rotation       F32 [3000]         speechbrain.processing.signal_processing.reverberate
    rotationLong   F32 [3000]         the same with longResponse
    notchTaps      F32 [101]          SpeechBrain's DropFreq at 0.1, 0.437 and 0.93 of half the rate, width 0.05
    notched        F32 [3000]         the signal through it
    mixed          F32 [3000]         WeSpeaker's noise at 7 dB, with 1e-10 where it has 1e-4

All in double precision, rounded at the end. Written with scipy 1.17 and speechbrain 1.0.
"""

import pathlib

import numpy as np
import scipy.signal
import torch
from safetensors.numpy import save_file
from speechbrain.processing.signal_processing import convolve1d, notch_filter, reverberate

OUTPUT = pathlib.Path(__file__).resolve().parent.parent / "Tests/AudioTests/Fixtures/effects.safetensors"


def main() -> None:
    random = np.random.default_rng(14)
    t = np.arange(3000) / 16000
    signal = 0.3 * np.sin(2 * np.pi * 300 * t * (1 + 3 * t)) + 0.05 * random.standard_normal(3000)
    noise = 0.2 * random.standard_normal(3000) * np.hanning(3000)

    def room(length: int, delay: int) -> np.ndarray:
        response = random.standard_normal(length) * np.exp(-np.arange(length) / (length / 5)) * 0.2
        response[:delay] *= 0.01
        response[delay] = -0.9
        return response

    response, long_response = room(700, 23), room(4000, 57)
    # The files hold single precision, of which the results are made.
    signal, noise, response, long_response = (
        x.astype(np.float32).astype(np.float64) for x in (signal, noise, response, long_response)
    )
    convolution = scipy.signal.fftconvolve(signal, response)
    peak = convolution[23:][:3000]
    kernel = torch.zeros(1, 101, 1, dtype=torch.float64)
    kernel[0, 50, 0] = 1
    torch.set_default_dtype(torch.float64)
    for place in (0.1, 0.437, 0.93):
        kernel = convolve1d(kernel, notch_filter(torch.tensor(place), 101, 0.05), 50)
    notched = convolve1d(torch.from_numpy(signal)[None, :, None], kernel, 50)
    power, other = (10 * np.log10(np.mean(x**2) + 1e-10) for x in (signal, noise))
    tensors = {
        "signal": signal,
        "noise": noise,
        "response": response,
        "longResponse": long_response,
        "convolution": convolution,
        "none": convolution[:3000] / np.sqrt(np.sum(response**2)),
        "peak": peak * np.sqrt(np.mean(signal**2) / np.mean(peak**2)),
        "rotation": reverberate(torch.from_numpy(signal), torch.from_numpy(response)).numpy(),
        "rotationLong": reverberate(torch.from_numpy(signal), torch.from_numpy(long_response)).numpy(),
        "notchTaps": kernel.numpy().reshape(-1),
        "notched": notched.numpy().reshape(-1),
        "mixed": signal + noise * np.sqrt(10 ** ((power - other - 7) / 10)),
    }
    save_file({name: x.astype(np.float32) for name, x in tensors.items()}, OUTPUT)
    OUTPUT.chmod(0o644)


if __name__ == "__main__":
    main()
