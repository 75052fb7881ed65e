#!/usr/bin/env python3
"""Makes what the decoders and the resampler are compared with, in Tests/AudioTests/Fixtures.

    python scripts/make-sound-fixtures.py

The files flac16.flac, flac24.flac, flac-streamed.flac, vorbis.ogg, opus.opus, opus-stereo.opus, mp3-tag.mp3, mp3-plain.mp3,
mp3-stereo.mp3 and mp3-untold.mp3, made by flac, opusenc and ffmpeg (libvorbis, libmp3lame) of a signal that is the same in every run; and
sounds.safetensors, which holds of each FILE

    decoded.FILE     F32 [frames,channels]   as soundfile (libsndfile) decodes it, mp3-untold.mp3 as ffmpeg does

and of each RATE from which is resampled to 16 kHz

    resample.RATE.in   F32 [n]
    resample.RATE.out  F32 [m]   torchaudio.functional.resample in double precision: in single its own
                                taps are up to 1.5e-5 off

Written with libsndfile 1.2.2, torchaudio 2.11.0, flac 1.4.2, opus-tools 0.2 and ffmpeg 5.1.
"""

import pathlib
import subprocess
import tempfile

import numpy as np
import soundfile
import torch
import torchaudio
from safetensors.numpy import save_file

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "Tests/AudioTests/Fixtures"


def signal(seconds: float, rate: int, channels: int, seed: int) -> np.ndarray:
    """A gliding tone, a hum and noise that swells: something of everything a coder looks at. [frames, channels]"""
    random = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    columns = []
    for channel in range(channels):
        glide = np.sin(2 * np.pi * (200 + 300 * channel) * t * (1 + t / seconds))
        hum = np.sin(2 * np.pi * 97 * t + channel)
        noise = random.standard_normal(len(t)) * (0.2 + 0.8 * np.sin(np.pi * t / seconds) ** 2)
        columns.append(0.3 * glide + 0.2 * hum + 0.1 * noise)
    return np.clip(np.stack(columns, 1), -1, 1)


def run(*words: object) -> None:
    subprocess.run([str(word) for word in words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main() -> None:
    tensors: dict[str, np.ndarray] = {}
    mp3 = ["ffmpeg", "-y", "-nostdin", "-v", "error", "-i", "IN", "-map_metadata", "-1", "-c:a", "libmp3lame"]
    # Pages of a fifth of a second, so that there are some.
    ogg = ["ffmpeg", "-y", "-nostdin", "-v", "error", "-i", "IN", "-map_metadata", "-1", "-bitexact", "-c:a", "libvorbis"]
    ogg += ["-q:a", "4", "-serial_offset", "7", "-page_duration", "200000"]
    plans = [
        ("flac16.flac", 0.5, 16_000, 1, "PCM_16", ["flac", "-s", "-f", "--no-padding", "-o", "OUT", "IN"]),
        ("flac24.flac", 0.1, 44_100, 2, "PCM_24", ["flac", "-s", "-f", "--no-padding", "-o", "OUT", "IN"]),
        ("vorbis.ogg", 1.5, 16_000, 1, "PCM_16", [*ogg, "OUT"]),
        ("opus.opus", 1.5, 16_000, 1, "PCM_16", ["opusenc", "--quiet", "--serial", "7", "--max-delay", "200", "IN", "OUT"]),
        ("opus-stereo.opus", 0.2, 44_100, 2, "PCM_16", ["opusenc", "--quiet", "--serial", "8", "IN", "OUT"]),
        ("mp3-tag.mp3", 1, 16_000, 1, "PCM_16", [*mp3, "-q:a", "6", "OUT"]),
        ("mp3-plain.mp3", 1, 16_000, 1, "PCM_16", [*mp3, "-b:a", "32k", "-write_xing", "0", "-id3v2_version", "0", "OUT"]),
        ("mp3-stereo.mp3", 0.2, 44_100, 2, "PCM_16", [*mp3, "-b:a", "96k", "OUT"]),
    ]
    # Of a bit rate that varies, without a tag: libsndfile stops at an estimate of its length, so ffmpeg decodes it.
    untold = ("mp3-untold.mp3", 2, 8_000, 1, "PCM_16", [*mp3, "-q:a", "9", "-write_xing", "0", "-id3v2_version", "0", "OUT"])
    with tempfile.TemporaryDirectory() as folder:
        wav = pathlib.Path(folder) / "in.wav"
        for seed, (name, seconds, rate, channels, subtype, command) in enumerate([*plans, untold]):
            soundfile.write(wav, signal(seconds, rate, channels, seed), rate, subtype=subtype)
            out = FIXTURES / name
            run(*[{"IN": wav, "OUT": out}.get(word, word) for word in command])
    # As flac writes into a pipe: how many samples there are and their checksum, the last 26 of 42 bytes, is not told.
    flac = bytearray((FIXTURES / "flac16.flac").read_bytes())
    flac[21] &= 0xF0
    flac[22:42] = bytes(20)
    (FIXTURES / "flac-streamed.flac").write_bytes(flac)
    for path in sorted(FIXTURES.iterdir()):
        if path.suffix in {".flac", ".ogg", ".opus", ".mp3"} and path.name not in {"flac-streamed.flac", untold[0]}:
            samples, _ = soundfile.read(path, dtype="float32", always_2d=True)
            tensors[f"decoded.{path.name}"] = samples
    raw = ["ffmpeg", "-nostdin", "-v", "error", "-i", FIXTURES / untold[0], "-f", "f32le", "-"]
    decoded = subprocess.run(raw, check=True, stdout=subprocess.PIPE).stdout
    tensors[f"decoded.{untold[0]}"] = np.frombuffer(decoded, np.float32)[:, None]
    for rate in (8_000, 11_025, 22_050, 44_100, 48_000):
        samples = signal(0.2, rate, 1, rate)[:, 0].astype(np.float32)
        tensors[f"resample.{rate}.in"] = samples
        exact = torchaudio.functional.resample(torch.from_numpy(samples).double(), rate, 16_000)
        tensors[f"resample.{rate}.out"] = exact.float().numpy()
    save_file(tensors, FIXTURES / "sounds.safetensors")
    (FIXTURES / "sounds.safetensors").chmod(0o644)


if __name__ == "__main__":
    main()
