"""Expected statistics from SciPy and statsmodels: writes statistics.json beside this script, and experiment.csv, an
experiment of random outcomes, with what the same libraries say of it in experiment.json.

    python3 -m venv .venv && .venv/bin/pip install scipy==1.17.1 statsmodels==0.15.0
    .venv/bin/python Tests/Fixtures/evaluation/make.py

Seed: 20250. Every case holds its inputs and what the library gave for them.
"""

import csv
import importlib.util
import io
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

# The mean differences over seeds and questions are those of the other script.
module = importlib.util.spec_from_file_location("crossed", Path(__file__).parents[1] / "statistics/make.py")
crossed = importlib.util.module_from_spec(module)
module.loader.exec_module(crossed)

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

# Drawn from streams of their own, so that what is above stays as it is.
def surface(places, values, seeds):
    """A quadratic by least squares with standard errors clustered by seed, and where its gradient is zero."""
    places = np.asarray(places, dtype=float)
    ones = np.ones(len(places))
    if places.shape[1] == 1:
        (x,) = places.T
        design = np.stack([ones, x, x * x], axis=1)
    else:
        x, z = places.T
        design = np.stack([ones, x, z, x * x, x * z, z * z], axis=1)
    clusters = {"groups": np.asarray(seeds), "use_correction": False}
    fit = sm.OLS(values, design).fit(cov_type="cluster", cov_kwds=clusters)
    # The factor S / (S - 1) alone; statsmodels' own correction has (n - 1) / (n - k) as well.
    errors = fit.bse * np.sqrt(len(set(seeds)) / (len(set(seeds)) - 1))
    b = fit.params
    if places.shape[1] == 1:
        hessian, slope = np.array([[2 * b[2]]]), b[1:2]
    else:
        hessian, slope = np.array([[2 * b[3], b[4]], [b[4], 2 * b[5]]]), b[1:3]
    place = np.linalg.solve(hessian, -slope)
    signs = np.sign(np.linalg.eigvalsh(hessian))
    return {
        "places": [numbers(p) for p in places], "values": numbers(values), "seeds": [int(s) for s in seeds],
        "coefficients": numbers(b), "standard_errors": numbers(errors), "place": numbers(place),
        "value": float(b[0] + slope @ place / 2),
        "kind": "maximum" if (signs < 0).all() else "minimum" if (signs > 0).all() else "saddle",
    }


def surfaces():
    draw = np.random.default_rng(SEED + 1)
    grid = [(np.log(a), b) for a in (0.25, 0.5, 1, 2, 4) for b in (-0.5, -0.25, -0.1, 0)]
    places = np.array([p for p in grid for _ in range(4)])
    seeds = list(range(4)) * len(grid)
    x, z = places.T
    noise = draw.normal(0, 0.004, len(places))
    yield surface(places, 0.8 - 0.02 * (x - 0.2) ** 2 - 0.5 * (z + 0.2) ** 2 + 0.02 * x * z + noise, seeds)
    yield surface(places, 0.8 - 0.02 * x**2 + 0.5 * (z + 0.2) ** 2 + noise, seeds)
    yield surface(places, 1 + 0.03 * (x + 0.3) ** 2 + 0.9 * (z + 0.3) ** 2 + noise, seeds)
    yield surface(places[:, 1:], 0.8 - (z + 0.2) ** 2 + noise, seeds)
    yield surface(places[:, :1], 1.2 + 0.05 * (x - 0.4) ** 2 + noise, seeds)
    # Seeds that were not run at all places, and whose slopes differ.
    some = draw.uniform(size=len(places)) < 0.7
    slopes = draw.normal(0, 0.02, 4)[seeds] * x
    values = 0.8 - 0.02 * (x - 0.2) ** 2 - 0.5 * (z + 0.2) ** 2 + slopes + noise
    yield surface(places[some], values[some], np.array(seeds)[some])


def tally(ours, theirs):
    """Questions that only ours, and that only theirs, answers correctly, and the exact test of the two."""
    gain = np.asarray(ours).astype(int) - np.asarray(theirs).astype(int)
    wins, losses = int((gain > 0).sum()), int((gain < 0).sum())
    p = float(mcnemar([[0, wins], [losses, 0]], exact=True).pvalue)
    return {"wins": wins, "losses": losses, "p": p}


outcomes = np.random.default_rng(SEED + 2)
rights = [(outcomes.uniform(size=(s, q)) < share, outcomes.uniform(size=(s, q)) < 0.6)
          for s, q, share in ((1, 30, 0.7), (1, 200, 0.5), (1, 40, 0.75), (1, 300, 0.62), (1, 5, 0.6))]
expected |= {
    "surfaces": list(surfaces()),
    "tallies": [
        {"values": a[0].astype(int).tolist(), "reference": b[0].astype(int).tolist(), **tally(a[0], b[0])}
        for a, b in rights
    ],
    # Of a mean share over seeds, whose number of successes is no whole one.
    "mean_share": [
        {"share": share, "count": n, "interval": numbers(proportion_confint(share * n, n, 0.05, "wilson"))}
        for share, n in ((0.8537, 500), (0.0004, 500), (0.5, 7), (1 / 3, 16))
    ],
    "paired_p": [
        {"differences": numbers(s - r), "p": float(stats.ttest_rel(s, r).pvalue)}
        for s, r in zip(samples, references)
    ],
}


def experiment():
    """A sweep of random outcomes over two tests: its CSV and what is expected of it."""
    draw = np.random.default_rng(SEED + 3)
    tasks = {"arithmetic": 18, "boolean": 12}
    seeds = range(4)
    points = [("stage 1", "", "")] + [("KRSL", a, b) for a in (0.5, 1, 2) for b in (-0.5, -0.1, 0)]
    pairs = draw.integers(1, 9, 20)
    table, rows = {}, []
    for number, (arm, alpha, beta) in enumerate(points):
        share = 0.55 if arm == "stage 1" else 0.7 - 0.08 * np.log(alpha) ** 2 - 0.9 * (beta + 0.2) ** 2
        for seed in seeds:
            for split, level in (("validation", share), ("in domain", share), ("out of domain", share - 0.2)):
                right = {task: (draw.uniform(size=n) < level).astype(int) for task, n in tasks.items()}
                # The whole test's order is another one than the tasks'.
                whole = draw.permutation(np.concatenate(list(right.values())))
                sums = [float(f"{s:.4g}") for s in draw.gamma(2, 0.4, len(pairs)) * pairs]
                bits = lambda outcomes: "".join(str(bit) for bit in outcomes)
                figures = [("accuracy", "share", whole.mean(), len(whole), bits(whole)),
                           ("unparsed", "share", 0.1, len(whole), ""), ("guessing floor", "share", 0.25, "", "")]
                figures += [(f"accuracy: {task}", "share", r.mean(), len(r), bits(r)) for task, r in right.items()]
                prefers = (draw.uniform(size=len(pairs)) < level).astype(int)
                figures += [("prefers right chain", "share", prefers.mean(), len(pairs), bits(prefers)),
                            ("key tokens -log p", "nats", sum(sums) / pairs.sum(), len(pairs),
                             " ".join(f"{s:g}/{n}" for s, n in zip(sums, pairs)))]
                table[number, seed, split] = right, figures
                rows += [["toy", f"{number:02}{seed:02}", arm, 100, alpha, beta, seed, split, name, unit,
                          repr(float(value)), "", "", count, items, 1.5, "0123456789ab"]
                         for name, unit, value, count, items in figures]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow("experiment run arm steps alpha beta seed split metric unit value low_95 high_95 count items "
                    "run_seconds commit".split())
    writer.writerows(rows)

    def values(point, split, metric):
        if metric == "macro accuracy":
            return np.array([np.mean([r.mean() for r in table[point, s, split][0].values()]) for s in seeds])
        return np.array([next(f[2] for f in table[point, s, split][1] if f[0] == metric) for s in seeds])

    def items(point, split, metric):
        """Seeds × items, task after task, and the items' weights."""
        if "accuracy" in metric:
            rights = np.array([np.concatenate(list(table[point, s, split][0].values())) for s in seeds])
            sizes = np.repeat(list(tasks.values()), list(tasks.values()))
            weights = 1 / sizes if metric.startswith("macro") else np.ones(len(sizes))
            return rights * weights, weights
        texts = [next(f[4] for f in table[point, s, split][1] if f[0] == metric) for s in seeds]
        if "/" not in texts[0]:
            return np.array([[float(bit) for bit in text] for text in texts]), np.ones(len(texts[0]))
        parts = np.array([[item.split("/") for item in text.split()] for text in texts], dtype=float)
        return parts[:, :, 0], parts[0, :, 1]

    def interval(point, split, metric):
        (ours, weights), (theirs, _) = items(point, split, metric), items(0, split, metric)
        strata = np.repeat(list(tasks), list(tasks.values())).tolist() if "accuracy" in metric else None
        found = crossed.difference("", ours, theirs, weights=weights, strata=strata)
        return {key: found[key] for key in ("interval", "degrees", "p", "margin")}

    # As the files of earlier versions, which the CSV follows, have the metrics' names; and as they are now.
    present = {"accuracy": "accuracy", "macro accuracy": "macro_accuracy", "prefers right chain": "pairwise_accuracy",
               "key tokens -log p": "key_token_nll"}
    comparisons, accuracies = [], []
    for split in ("in domain", "out of domain"):
        for metric in present:
            group = []
            for point in range(1, len(points)):
                test = stats.ttest_rel(values(point, split, metric), values(0, split, metric))
                difference = values(point, split, metric) - values(0, split, metric)
                row = {"point": point, "split": split, "metric": present[metric], "difference": float(difference.mean()),
                       "seeds_interval": numbers(test.confidence_interval(0.95)), "t_p": float(test.pvalue),
                       **interval(point, split, metric)}
                group.append(row)
            for p, q in (("t_p", "t_q"), ("p", "q")):
                for row, adjusted in zip(group, multipletests([row[p] for row in group], method="fdr_bh")[1]):
                    row[q] = float(adjusted)
            comparisons += group
        for point in range(len(points)):
            mean, n = values(point, split, "accuracy").mean(), sum(tasks.values())
            accuracies.append({"point": point, "split": split, "accuracy": float(mean),
                               "interval": numbers(proportion_confint(mean * n, n, 0.05, "wilson"))})
    chosen = max(range(1, len(points)), key=lambda point: values(point, "validation", "accuracy").mean())
    observed = [(np.log(points[p][1]), points[p][2], values(p, "validation", "accuracy")[s], s)
                for s in seeds for p in range(1, len(points))]
    return text.getvalue(), {
        "chosen": chosen, "comparisons": comparisons, "accuracies": accuracies,
        "surface": surface([o[:2] for o in observed], np.array([o[2] for o in observed]), [o[3] for o in observed]),
    }


table, of_table = experiment()
of_table["provenance"] = expected["provenance"]
folder = Path(__file__).parent
for name, text in (
    ("statistics.json", json.dumps(expected, indent=None, separators=(",", ":")) + "\n"),
    ("experiment.csv", table),
    ("experiment.json", json.dumps(of_table, indent=None, separators=(",", ":")) + "\n"),
):
    (folder / name).write_text(text)
    print(folder / name, len(text), "bytes")
