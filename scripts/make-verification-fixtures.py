#!/usr/bin/env python3
"""Makes Tests/VerificationTests/Fixtures/reference.json: figures of verification by the programs of the field.

    make-verification-fixtures.py WESPEAKER PYLLR OUTPUT

WESPEAKER and PYLLR are clones of github.com/wenet-e2e/wespeaker (dfa7419) and github.com/bsxfan/PYLLR (442b10b).
EER and minDCF are of WeSpeaker's score_metrics.py, AS-norm of its score_norm.py; the EER of the convex hull, Cllr and
minimum Cllr of PYLLR; the calibration minimises PYLLR's Cllr by SciPy's BFGS. Needs numpy, scipy, scikit-learn.
"""

import json
import sys
import types

import numpy as np
from scipy.optimize import minimize


def import_from(folder):
    sys.path.insert(0, folder)


def main():
    wespeaker, pyllr, output = sys.argv[1:]
    # What the modules import for their own command lines and plots, and these figures do not need.
    for name in ["fire", "kaldiio", "tqdm", "matplotlib", "matplotlib.pyplot"]:
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules["tqdm"].tqdm = None
    import_from(wespeaker)
    import_from(pyllr)
    from pyllr.cllr import cllr, min_cllr
    from pyllr.pav_rocch import PAV, ROCCH
    from wespeaker.bin.score_norm import get_mean_std
    from wespeaker.utils.score_metrics import compute_c_norm, compute_eer, compute_pmiss_pfa_rbst

    random = np.random.default_rng(15)

    def figures(name, targets, nontargets, ties):
        scores = np.concatenate([targets, nontargets])
        labels = np.concatenate([np.ones(len(targets), int), np.zeros(len(nontargets), int)])
        pav = PAV(scores, labels)
        fit = minimize(
            lambda x: cllr(x[0] * targets + x[1], x[0] * nontargets + x[1]), [1.0, 0.0], method="BFGS",
            options={"gtol": 1e-10})
        entry = {
            "name": name, "targets": targets.tolist(), "nontargets": nontargets.tolist(),
            "eer_rocch": float(ROCCH(pav).EER()), "cllr": float(cllr(targets, nontargets)),
            "min_cllr": float(min_cllr(pav)), "scale": float(fit.x[0]), "offset": float(fit.x[1])}
        # WeSpeaker's figures depend on the order of lines where scores are equal.
        if not ties:
            miss, false = compute_pmiss_pfa_rbst(scores, labels)
            eer, threshold = compute_eer(miss, false, scores)
            entry |= {"eer": float(eer), "threshold_eer": float(threshold)}
            for prior in [0.01, 0.05]:
                entry[f"min_dcf_{prior}"] = float(compute_c_norm(miss, false, prior))
        return entry

    lists = [
        figures("cosines", random.normal(0.6, 0.12, 60), random.normal(0.2, 0.15, 200), False),
        figures("ratios", random.normal(2, 2, 150), random.normal(-3, 2.5, 151), False),
        figures("hard", random.normal(0.1, 1, 40), random.normal(0, 1, 90), False),
        figures("few", np.array([0.9, 0.2]), np.array([0.5, 0.1, 0.3]), False),
        figures(
            "ties", np.round(random.normal(0.6, 0.2, 80), 1), np.round(random.normal(0.3, 0.2, 120), 1), True),
    ]

    embeddings = random.normal(0.3, 1, (6, 19)).astype(np.float32)
    cohort = random.normal(0.3, 1, (40, 19)).astype(np.float32)
    mean = embeddings.astype(np.float64).mean(axis=0)
    centered, others = embeddings - mean, cohort - mean
    unit = centered / np.linalg.norm(centered, axis=1, keepdims=True)
    cosines = unit @ unit.T
    norm = {
        "embeddings": embeddings.tolist(), "cohort": cohort.tolist(), "mean": mean.tolist(),
        "cosines": cosines.tolist()}
    for top in [10, 40]:
        means, deviations = get_mean_std(centered, others, top)
        normalized = 0.5 * ((cosines - means[:, None]) / deviations[:, None] + (cosines - means) / deviations)
        norm[f"normalized_{top}"] = normalized.tolist()
    with open(output, "w") as file:
        json.dump({"lists": lists, "norm": norm}, file)
        file.write("\n")


main()
