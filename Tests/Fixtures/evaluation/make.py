"""Expected statistics from SciPy and statsmodels: writes statistics.json beside this script.

    python3 -m venv .venv && .venv/bin/pip install scipy==1.17.1 statsmodels==0.15.0
    .venv/bin/python Tests/Fixtures/evaluation/make.py

Seed: 20250. Every case holds its inputs and what the library gave for them.
"""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

SEED = 20250
rng = np.random.default_rng(SEED)


def numbers(array):
    return [float(x) for x in array]


def consistency(table):
    """Mean agreement over questions, recovered from Fleiss' kappa: P = kappa (1 - Pe) + Pe."""
    counts, _ = aggregate_raters(table)
    expected = float(((counts.sum(0) / counts.sum()) ** 2).sum())
    return fleiss_kappa(counts) * (1 - expected) + expected


def bootstrap(sample, statistic, level):
    draw = dict(n_resamples=199, confidence_level=level, vectorized=False)
    bca = stats.bootstrap((sample,), statistic, method="BCa", rng=np.random.default_rng(7), **draw)
    percentile = stats.bootstrap(
        (sample,), statistic, method="percentile", rng=np.random.default_rng(7), **draw
    )
    assert np.array_equal(bca.bootstrap_distribution, percentile.bootstrap_distribution)
    return {
        "sample": numbers(sample),
        "level": level,
        "estimate": float(statistic(sample)),
        "resampled": numbers(bca.bootstrap_distribution),
        "jackknife": [float(statistic(np.delete(sample, i))) for i in range(len(sample))],
        "percentile": numbers(percentile.confidence_interval),
        "bca": numbers(bca.confidence_interval),
    }


samples = [rng.normal(60, 5, n) for n in (2, 3, 4, 10, 57)]
references = [s + rng.normal(1, 2, len(s)) for s in samples]
answers = [rng.integers(0, k, (q, s)) for q, s, k in ((30, 2, 2), (40, 5, 4), (25, 10, 3))]

expected = {
    "provenance": {
        "script": "Tests/Fixtures/evaluation/make.py",
        "seed": SEED,
        "scipy": version("scipy"),
        "statsmodels": version("statsmodels"),
        "numpy": version("numpy"),
    },
    "normal_quantile": [
        {"p": p, "x": float(stats.norm.ppf(p))}
        for p in (1e-12, 0.001, 0.025, 0.3, 0.5, 0.7, 0.8, 0.975, 0.9995)
    ],
    "t_quantile": [
        {"p": p, "degrees": nu, "x": float(stats.t.ppf(p, nu))}
        for nu in (1, 2, 3, 4, 9, 30, 499, 100000)
        for p in (0.005, 0.025, 0.4, 0.5, 0.8, 0.975, 0.9995)
    ],
    "wilson": [
        {"successes": k, "count": n, "level": level,
         "interval": numbers(proportion_confint(k, n, 1 - level, "wilson"))}
        for k, n in ((0, 1), (1, 1), (0, 40), (40, 40), (7, 12), (296, 500), (4999, 10000))
        for level in (0.9, 0.95, 0.99)
    ],
    "mean": [
        {"sample": numbers(s), "level": level, "value": float(s.mean()),
         "interval": numbers(DescrStatsW(s).tconfint_mean(1 - level))}
        for s in samples for level in (0.95, 0.99)
    ],
    "paired": [
        {"sample": numbers(s), "reference": numbers(r),
         "value": float((s - r).mean()),
         "interval": numbers(stats.ttest_rel(s, r).confidence_interval(0.95))}
        for s, r in zip(samples, references)
    ],
    "mcnemar": [
        {"only_first": b, "only_second": c,
         "p": float(mcnemar([[50, b], [c, 60]], exact=True).pvalue)}
        for b, c in ((0, 0), (0, 1), (0, 9), (1, 9), (5, 5), (12, 30), (30, 12), (200, 260), (900, 1000))
    ],
    "benjamini_hochberg": [
        {"p": numbers(p), "adjusted": numbers(multipletests(p, method="fdr_bh")[1])}
        for p in (
            np.array([0.04]),
            np.array([0.01, 0.02, 0.03, 0.04, 0.05]),
            np.array([0.5, 0.001, 0.001, 1.0, 0.03, 0.0]),
            rng.uniform(0, 1, 20) ** 2,
        )
    ],
    # Forward, the power of a given difference: the root that statsmodels' own solver stops at is good to 1e-5 only.
    "smallest_detectable": [
        {"pairs": n, "significance": a, "standard_deviation": sd, "difference": sd * d,
         "power": float(TTestPower().power(d, n, a))}
        for n, a, d, sd in ((3, 0.05, 3.25, 1.0), (4, 0.05, 2.125, 2.5), (5, 0.01, 3.0, 1.0),
                            (10, 0.05, 1.0, 1.1), (10, 0.05, 1.25, 1.1), (500, 0.05, 0.125, 0.4),
                            (20000, 0.05, 0.02, 0.4))
    ],
    "bootstrap": [
        bootstrap(rng.exponential(2, 15), np.mean, 0.95),
        bootstrap(rng.normal(0, 1, 20), np.median, 0.9),
        bootstrap((rng.uniform(0, 1, 40) < 0.6).astype(float), np.mean, 0.95),
    ],
    "consistency": [
        {"answers": table.T.tolist(), "value": float(consistency(table))} for table in answers
    ],
}

path = Path(__file__).with_name("statistics.json")
path.write_text(json.dumps(expected, indent=None, separators=(",", ":")) + "\n")
print(path, path.stat().st_size, "bytes")
