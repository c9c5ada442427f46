"""Mean differences over seeds crossed with questions, computed with statsmodels' analysis of variance and SciPy's t
distribution: writes differences.json beside this script.

    python3 -m venv .venv && .venv/bin/pip install scipy==1.17.1 statsmodels==0.15.0
    .venv/bin/python Tests/Fixtures/statistics/make.py

Seed: 20251. Every case holds its inputs and the expected interval. The mean squares are those of
`ols("y ~ C(seed) + C(unit)")`, fitted to each stratum by itself; no formula of the Swift code is used for them.
"""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.weightstats import ttost_paired

SEED = 20251
rng = np.random.default_rng(SEED)


def mean_squares(table):
    """Of a seeds × units table: (mean square, degrees of freedom) of seeds, units and residual."""
    seeds, units = np.indices(table.shape)
    frame = pd.DataFrame({"y": table.ravel(), "seed": seeds.ravel(), "unit": units.ravel()})
    rows = anova_lm(ols("y ~ C(seed) + C(unit)", frame).fit())
    return [(float(rows.loc[name, "mean_sq"]), float(rows.loc[name, "df"]))
            for name in ("C(seed)", "C(unit)", "Residual")]


def satterthwaite(parts):
    total = sum(value for value, _ in parts)
    return total, total**2 / sum(value**2 / degrees for value, degrees in parts)


def difference(name, ours, theirs, weights=None, clusters=None, strata=None):
    seeds, questions = ours.shape
    weights = np.ones(questions) if weights is None else weights
    labels = np.arange(questions).astype(str) if clusters is None else np.array(clusters)
    groups = np.zeros(questions).astype(str) if strata is None else np.array(strata)
    value = float(((ours - theirs).sum(1) / weights.sum()).mean())
    residual = (ours - theirs - value * weights) / weights.sum()

    units_part, residual_part = [], []
    for group in np.unique(groups):
        inside = groups == group
        table = np.stack([residual[:, inside & (labels == label)].sum(1)
                          for label in np.unique(labels[inside])], axis=1)
        _, units, rest = mean_squares(table)
        n = table.shape[1]
        # The variance of a sum of n units is n² times that of their mean, a mean square over seeds · n.
        units_part.append((units[0] * n / seeds, units[1]))
        residual_part.append((rest[0] * n / seeds, rest[1]))
    sums = residual.sum(1)
    a, degrees_a = float(stats.sem(sums) ** 2), seeds - 1
    b, degrees_b = satterthwaite(units_part)
    c, degrees_c = satterthwaite(residual_part)
    variance = c + max(0, a - c) + max(0, b - c)
    degrees = variance**2 / (a**2 / degrees_a + b**2 / degrees_b + c**2 / degrees_c)
    degrees = max(degrees, min(degrees_a, degrees_b))
    error = variance**0.5
    t = stats.t(degrees, loc=value, scale=error)
    return {
        "name": name, "values": ours.tolist(), "reference": theirs.tolist(), "weights": weights.tolist(),
        "clusters": clusters, "strata": strata, "value": value, "standard_error": error, "degrees": float(degrees),
        "interval": [float(x) for x in t.interval(0.95)],
        "p": float(2 * stats.t.sf(abs(value) / error, degrees)),
        "margin": float(max(abs(x) for x in t.interval(0.90))),
        "seeds": a, "questions": float(b), "interaction": float(c),
    }


def outcomes(seeds, questions, shift=0.3, seed_effect=0.3, question_effect=1.0):
    """Right and wrong answers of two arms with effects of seeds and questions."""
    hard = question_effect * rng.normal(size=questions)
    arms = []
    for level in (shift, 0):
        own = seed_effect * rng.normal(size=(seeds, 1))
        arms.append((level + hard + own + rng.normal(size=(seeds, questions)) > 0).astype(float))
    return arms


def labels(*sizes):
    return [f"task {index}" for index, size in enumerate(sizes) for _ in range(size)]


def cases():
    yield difference("accuracy, few seeds", *outcomes(3, 12))
    yield difference("accuracy, seeds that differ", *outcomes(5, 20, seed_effect=1))
    yield difference("accuracy, seeds that do not differ", *outcomes(4, 25, seed_effect=0))
    yield difference("accuracy, questions that do not differ", *outcomes(6, 15, question_effect=0))
    numbers = rng.integers(1, 9, 15).astype(float)
    sums = [numbers * (1 + 0.2 * rng.normal(size=(4, 1)) + 0.5 * rng.normal(size=(4, 15))) for _ in range(2)]
    yield difference("sums over tokens and their number", *sums, weights=numbers)
    yield difference("fixed tasks", *outcomes(3, 20), strata=labels(9, 6, 5))
    macro = np.repeat([1 / 9, 1 / 6, 1 / 5], [9, 6, 5])
    yield difference("fixed tasks, macro", *(macro * x for x in outcomes(3, 20)), weights=macro, strata=labels(9, 6, 5))
    sizes = rng.integers(1, 5, 11)
    yield difference("drawn tasks", *outcomes(4, int(sizes.sum())), clusters=labels(*sizes))
    yield difference("passages within fixed tasks", *outcomes(3, 24), clusters=labels(*[2] * 12), strata=labels(10, 14))


def seeds_alone():
    for n in (2, 3, 5, 10):
        ours, theirs = rng.normal(0.6, 0.05, (2, n))
        test = stats.ttest_rel(ours, theirs)
        ends = test.confidence_interval(0.90)
        margin = float(max(abs(ends.low), abs(ends.high)))
        # At the margin the larger of the two one-sided p-values is 5 %.
        assert abs(ttost_paired(ours, theirs, -margin, margin)[0] - 0.05) < 1e-9
        yield {"values": ours.tolist(), "reference": theirs.tolist(), "p": float(test.pvalue), "margin": margin,
               "interval": [float(x) for x in test.confidence_interval(0.95)]}


if __name__ == "__main__":
    found = list(cases())
    expected = {
        "provenance": {
            "script": "Tests/Fixtures/statistics/make.py",
            "seed": SEED,
            **{name: version(name) for name in ("numpy", "pandas", "scipy", "statsmodels")},
        },
        "crossed": found,
        "seeds": list(seeds_alone()),
    }
    # The cases take every branch: seeds and questions whose part is below the interaction's, and above it.
    assert {case["seeds"] > case["interaction"] for case in found} == {True, False}
    assert {case["questions"] > case["interaction"] for case in found} == {True, False}
    path = Path(__file__).with_name("differences.json")
    path.write_text(json.dumps(expected, separators=(",", ":")) + "\n")
    for case in found:
        print(case["name"], *(f"{case[key]:.4g}" for key in ("value", "standard_error", "degrees", "seeds", "questions", "interaction")))
