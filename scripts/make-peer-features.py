#!/usr/bin/env python3
"""Makes Tests/AudioTests/Fixtures/peers.safetensors, what the front ends and SoX's chain are compared with.

Written with torchaudio 2.11, kaldi-native-fbank 1.22, speechbrain 1.0 and SoX 14.4.2. For every signal NAME the file has

    NAME.samples      F32 [n]     audio at 16 kHz
    NAME.wespeaker    F32 [T,80]  kaldi-native-fbank as WeSpeaker calls it (samples * 32768, hamming, dither 0)
    NAME.torchaudio   F32 [T,80]  torchaudio.compliance.kaldi.fbank with the same parameters
    NAME.speechbrain  F32 [T,80]  speechbrain.lobes.features.Fbank(n_mels=80)
    NAME.sox          F32 [m]     sox IN OUT norm -3 silence 1 0.1 1% -1 0.1 1%, of the samples as 32-bit float WAV
"""

import pathlib
import subprocess
import sys
import tempfile

import kaldi_native_fbank
import numpy as np
import soundfile
import torch
import torchaudio.compliance.kaldi
from safetensors.torch import save_file
from speechbrain.lobes.features import Fbank

OUTPUT = pathlib.Path(__file__).parent.parent / "Tests/AudioTests/Fixtures/peers.safetensors"


def signals() -> dict[str, np.ndarray]:
    random = np.random.default_rng(87)
    t = np.arange(12000) / 16000.0
    pitch = 2 * np.pi * np.cumsum(110 + 40 * np.sin(2 * np.pi * 1.5 * t)) / 16000
    voice = sum(np.sin(k * pitch) / k for k in range(1, 60)) * (np.sin(2 * np.pi * 3 * t) > -0.3) * 0.15
    # Words with pauses of several lengths: leading, short, long, trailing.
    words = np.zeros(24000)
    for start, end in [(3000, 6000), (6500, 9000), (13000, 17000), (17050, 17300), (20000, 20500)]:
        words[start:end] = 0.3 * np.sin(np.arange(end - start) * 0.2) * np.hanning(end - start)
    return {
        "noise": 0.1 * random.standard_normal(6000),
        "speechLike": voice + 1e-3 * random.standard_normal(len(t)),
        "chirp": 0.5 * np.sin(2 * np.pi * (50 * t[:6000] + 0.5 * 15800 * t[:6000] ** 2)),
        "words": words + 1e-4 * random.standard_normal(len(words)),
    }


def wespeaker(samples: np.ndarray) -> torch.Tensor:
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.window_type = "hamming"
    options.frame_opts.samp_freq = 16000
    options.mel_opts.num_bins = 80
    options.energy_floor = 0
    fbank = kaldi_native_fbank.OnlineFbank(options)
    fbank.accept_waveform(16000, (samples * 32768).tolist())
    fbank.input_finished()
    return torch.from_numpy(np.stack([fbank.get_frame(i) for i in range(fbank.num_frames_ready)]))


def torchaudio_kaldi(samples: np.ndarray) -> torch.Tensor:
    return torchaudio.compliance.kaldi.fbank(
        torch.from_numpy(samples)[None] * 32768, num_mel_bins=80, frame_length=25, frame_shift=10, dither=0,
        sample_frequency=16000, window_type="hamming", use_energy=False)


def sox(samples: np.ndarray) -> torch.Tensor:
    with tempfile.TemporaryDirectory() as folder:
        soundfile.write(f"{folder}/in.wav", samples, 16000, subtype="FLOAT")
        subprocess.run(
            ["sox", "-D", "in.wav", "-e", "floating-point", "-b", "32", "out.wav", "norm", "-3", "silence", "1", "0.1", "1%",
             "-1", "0.1", "1%"], cwd=folder, check=True)
        return torch.from_numpy(soundfile.read(f"{folder}/out.wav", dtype="float32")[0])


def main() -> None:
    tensors = {}
    for name, samples in signals().items():
        samples = samples.astype(np.float32)
        features = {
            "wespeaker": wespeaker(samples), "torchaudio": torchaudio_kaldi(samples),
            "speechbrain": Fbank(n_mels=80)(torch.from_numpy(samples)[None])[0], "sox": sox(samples)}
        tensors[f"{name}.samples"] = torch.from_numpy(samples)
        tensors |= {f"{name}.{peer}": value.detach().float().contiguous() for peer, value in features.items()}
        print(name, {peer: list(value.shape) for peer, value in features.items()},
              float((features["wespeaker"] - features["torchaudio"]).abs().max()))
    save_file(tensors, OUTPUT)


if __name__ == "__main__":
    sys.exit(main())
