#!/usr/bin/env python3
"""Makes Tests/SpeechDataTests/Fixtures/augmentation.safetensors, what the augmentation of features is compared with.

    python scripts/make-augmentation-fixture.py Tests/SpeechDataTests/Fixtures/augmentation.safetensors

Written with torch 2.13.0, torchaudio 2.11.0, scipy and lhotse 1.33.0. All are F32; features are [T,40], the homework's:

    speech, noise          of a made voice, and of noise
    lhotse.0, lhotse.10    the two mixed at 0 and 10 dB by lhotse
    speed.fast, speed.slow of the voice played 1.1 and 0.9 times as fast, by resampling the sound
    warp.50.46             speech, its frames before 50 brought to 46 and the others to the rest, by torch
    beta.u, beta.A         places in 0 ... 1, and the quantiles of Beta(A, A) there
"""

import sys

import numpy as np
import scipy.signal
import scipy.stats
import torch
import torch.nn.functional as F
import torchaudio
from lhotse.features.kaldi.extractors import Fbank
from safetensors.numpy import save_file

rng = np.random.default_rng(14)
rate = 16000
def voice(seconds, f0, formants):
    n = int(seconds * rate); t = np.arange(n) / rate
    pitch = f0 * (1 + .1 * np.sin(2 * np.pi * 1.7 * t))
    phase = np.cumsum(pitch) / rate
    source = np.zeros(n)
    for k in range(1, 40):
        keep = pitch * k < 7000
        source += keep * np.sin(2 * np.pi * k * phase) / k
    source += .02 * rng.standard_normal(n)
    for f, bw in formants:
        r = np.exp(-np.pi * bw / rate)
        source = scipy.signal.lfilter([1 - r], [1, -2 * r * np.cos(2 * np.pi * f / rate), r * r], source)
    envelope = .15 + np.clip(np.sin(2 * np.pi * 3.1 * t), 0, 1) ** .7
    out = source * envelope
    return (.3 * out / np.abs(out).max()).astype(np.float32)
mel = torchaudio.transforms.MelSpectrogram(rate, n_fft=400, hop_length=160, f_min=50, n_mels=40)
def features(x): return mel(torch.from_numpy(x)).clamp(min=1e-9).log().T.contiguous().numpy()
speech = voice(1.2, 130, [(600, 80), (1300, 100), (2600, 160), (3600, 250)])
noise = (.05 * scipy.signal.lfilter([1, .6], [1], rng.standard_normal(len(speech)))).astype(np.float32)
out = {}
m, n = features(speech), features(noise)
out["speech"], out["noise"] = m, n
# lhotse's rule, in its own words, at two ratios.
for snr in (0, 10):
    gain = Fbank.compute_energy(m) * 10 ** (-snr / 10) / Fbank.compute_energy(n)
    out[f"lhotse.{snr}"] = Fbank.mix(m, n, gain).astype(np.float32)
# Played 1.1 and 0.9 times as fast: the true features.
for name, up, down in (("fast", 10, 11), ("slow", 10, 9)):
    out[f"speed.{name}"] = features(scipy.signal.resample_poly(speech.astype(np.float64), up, down).astype(np.float32))
# Frames 50 | rest of 121 moved to 46: torch's own linear interpolation of the two parts.
x = torch.from_numpy(m).T[None]
part = lambda y, size: F.interpolate(y, size=size, mode="linear", align_corners=True)
out["warp.50.46"] = torch.cat([part(x[:, :, :50], 46), part(x[:, :, 50:], m.shape[0] - 46)], 2)[0].T.contiguous().numpy()
u = np.array([1e-3, .01, .1, .25, .4, .5, .6, .9, .999])
out["beta.u"] = u.astype(np.float32)
for a in (.1, .2, .5, 1., 8.):
    out[f"beta.{a}"] = scipy.stats.beta.ppf(out["beta.u"].astype(np.float64), a, a).astype(np.float32)
save_file(out, sys.argv[1])
