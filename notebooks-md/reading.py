"""What the experiments' notebooks share: a results CSV as a table, its settings compared with a reference, figures.

A *setting* is what is compared: an arm, in a sweep with its values. Shares are in per cent, their differences in
percentage points.
"""
from functools import cache
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown, display
from scipy import stats

plt.rcParams.update({"figure.dpi": 110, "font.size": 10, "axes.titlesize": 10, "axes.spines.top": False,
                     "axes.spines.right": False, "figure.constrained_layout.use": True})

PAIR_METRICS = ["pairwise_accuracy", "key_token_accuracy", "key_token_nll", "other_token_nll"]
METRICS = ["accuracy"] + PAIR_METRICS
TITLES = {"pairwise_accuracy": "pairwise accuracy", "key_token_accuracy": "key tokens top-1",
          "key_token_nll": "−log p, key tokens", "other_token_nll": "−log p, other tokens"}

# The names of metrics and units in CSVs of earlier versions, which MetricName.swift reads alike.
EARLIER = {
    "guessing floor": "majority_baseline", "prefers right chain": "pairwise_accuracy",
    "key tokens top-1": "key_token_accuracy", "key tokens -log p": "key_token_nll",
    "other tokens -log p": "other_token_nll", "effective rank": "effective_rank", "stable rank": "stable_rank",
    "update over weight": "update_over_weight", "overlap with stage 1, outputs": "output_overlap_with_stage1",
    "overlap with stage 1, inputs": "input_overlap_with_stage1", "singular values": "singular_values",
    "stage 2 pairs": "stage2_pairs", "stage 2 key tokens": "stage2_key_tokens",
    "stage 2 first loss": "stage2_first_loss", "stage 2 last loss": "stage2_last_loss",
    "stage 2 mean gradient norm": "stage2_mean_gradient_norm", "stage 2 speed": "stage2_speed",
    **{f"stage 2 {when} gradient norm, {old} tokens": f"stage2_{when}_{new}_gradient_norm"
       for when in ("first", "last") for old, new in (("right", "chosen"), ("wrong", "rejected"))},
}
EARLIER_UNITS = {"share": "fraction", "useful tokens/s": "tokens/s"}


def renamed(table):
    """A results CSV with the present names of metrics and units; a metric's group is appended: `accuracy: arithmetic`."""
    parts = table["metric"].str.split(": ", n=1, expand=True).reindex(columns=[0, 1])
    name = parts[0].replace(EARLIER)
    group = table["group"] if "group" in table else parts[1]
    return table.assign(metric=name.where(group.isna(), name + ": " + group.fillna("")),
                        unit=table["unit"].replace(EARLIER_UNITS))


def number(value, form="g"):
    return format(value, form).replace("-", "−")


def listed(items):
    items = list(items)
    return " and ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)


def say(lines):
    display(Markdown(lines if isinstance(lines, str) else "\n".join(f"- {line}" for line in lines)))


def statement(row, unit, sign="+"):
    """A difference with its interval."""
    form = sign + (".1f" if unit == "fraction" else ".4f")
    return f"{number(row['mean'], form)} ({number(row['low'], form)} … {number(row['high'], form)})"


def section(path, title):
    """What a Markdown file says under a heading, as a quotation."""
    body = Path(path).read_text().split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0].strip()
    say("\n".join(f"> {line}".rstrip() for line in body.splitlines()))


def decoded(items):
    """The column `items`: sums and weights, item by item; a figure is the sum of the ones over that of the others."""
    if "/" in items:
        return np.array([item.split("/") for item in items.split()], dtype=float).T
    return np.array([[int(item) for item in items], [1] * len(items)], dtype=float)


@cache
def drawn(seeds, items, resamples=2000):
    """How often each seed and each item comes up where as many as there are of each are drawn anew."""
    generator = np.random.default_rng(1)
    return [generator.multinomial(count, np.full(count, 1 / count), resamples).astype(float)
            for count in (seeds, items)]


def resampled(sums, weights):
    """A figure, seeds × items, on seeds and items drawn anew: the same draws for every figure of its shape, so that the
    differences of two are paired (Owen's pigeonhole bootstrap)."""
    drawn_seeds, drawn_items = drawn(*sums.shape)
    total = [((drawn_seeds @ part) * drawn_items).sum(axis=1) for part in (sums, weights)]
    return total[0] / total[1]


def heat_map(axis, cells, limit, scale=100, form="+.1f", starred=False, **shown):
    """Differences as a map with their numbers, times `scale`, in colours from -limit to limit.

    `cells` has the columns difference, low_95, high_95, and q where cells are `starred`, each over the map's columns. Bold:
    the interval excludes zero; a star: q is 0.05 or less.
    """
    values = scale * cells["difference"]
    axis.imshow(values, **{"cmap": "PuOr", "aspect": "auto", **shown}, vmin=-limit, vmax=limit)
    for i, j in np.ndindex(values.shape):
        low, high, value = cells["low_95"].iloc[i, j], cells["high_95"].iloc[i, j], values.iloc[i, j]
        star = " *" if starred and cells["q"].iloc[i, j] <= 0.05 else ""
        axis.text(j, i, number(value, form) + star, ha="center", va="center", fontsize=8.5,
                  fontweight="bold" if low > 0 or high < 0 else "normal",
                  color="white" if abs(value) > 2 / 3 * limit else "black")
    axis.set_yticks(range(len(values.index)), [name if isinstance(name, str) else f"{name:g}" for name in values.index])


def half_interval(seeds):
    """Half of the 95 % t interval of the mean over seeds, the last axis."""
    return stats.t.ppf(0.975, seeds.shape[-1] - 1) * seeds.sem(axis=seeds.ndim - 1)


def verdict(low, high, least, most):
    """What an interval says of the claim that a difference lies between two bounds."""
    return "holds" if least < low and high < most else "contradicted" if high < least or most < low else "open"


def holm(p, level=0.05):
    """Which of the hypotheses Holm's step-down procedure rejects."""
    rejected = np.zeros(len(p), dtype=bool)
    rejected[np.argsort(p)] = np.cumprod(np.sort(p) <= level / np.arange(len(p), 0, -1)).astype(bool)
    return rejected


def tallied(rows):
    """Tallies as a table."""
    return pd.DataFrame(rows).T.astype({"intervals": int, "exclude zero": int, "after Holm's correction": int})


class Results:
    """One student's CSV of an experiment.

    `reference` is the setting that the others are compared with, the first in order where none is named. `label` names
    the setting of a row, `order` is the key that sorts settings, `mark` gives one its shape and colour; `swept` are
    columns that may have several values. Of those in `chosen` each arm has the values with which its mean accuracy on
    validation is highest; its other runs are left out.
    """

    def __init__(self, path, order, mark, reference=None, label=lambda row: row.arm, swept=(), chosen=()):
        self.path, self.order, self.mark, self.swept = path, order, mark, list(swept)
        table = renamed(pd.read_csv(path, dtype={"run": str, "commit": str, "items": str, "group": str}))
        first, last = table.columns.get_loc("arm") + 1, table.columns.get_loc("seed")
        self.chosen_columns = [name for name in chosen
                               if name in table and table.groupby("arm")[name].nunique().max() > 1]
        values = self.chosen_values(table)
        validated = table.assign(values=values)[(table["split"] == "validation") & (table["metric"] == "accuracy")]
        # Of values that are equally good the first, as in keystep report; sums of the same numbers may differ in rounding.
        self.validated = validated.groupby(["arm", "values"], sort=False)["value"].mean().round(9)
        self.choice = {arm: values for arm, values in self.validated.groupby("arm").idxmax()}
        table = table[values == table["arm"].map(self.choice)].copy()
        self.settings_columns = table.columns[first:last].difference([*self.swept, *self.chosen_columns], sort=False)
        varied = [name for name in self.settings_columns if table[name].nunique() > 1]
        if varied:
            raise ValueError(f"{path}: expected one value each, found several: {', '.join(varied)}")
        table["setting"] = [label(row) for row in table.itertuples()]
        self.reference = reference = reference or self.ordered(set(table["setting"]))[0]
        table["split"] = table["split"].fillna("training")
        table.loc[table["unit"] == "fraction", ["value", "low_95", "high_95"]] *= 100
        values = table.pivot(index=["split", "metric", "setting"], columns="seed", values="value")
        # Pairing needs every setting of a seed; incomplete seeds of an interrupted sweep are left out.
        complete = values.columns[values.xs("accuracy", level="metric").notna().all()]
        if reference not in set(table["setting"]) or len(complete) < 2:
            raise ValueError(f"{path}: expected {reference} and two seeds or more that every setting has, found "
                             f"{len(complete)} of {values.shape[1]} seeds, and {', '.join(table['setting'].unique())}")
        self.incomplete = values.shape[1] - len(complete)
        self.table = table = table[table["seed"].isin(complete)]
        self.units = table.drop_duplicates("metric").set_index("metric")["unit"]
        self.tests = [name for name in table["split"].unique() if name not in ("training", "validation")]
        self.tasks = sorted(name for name in table["metric"].unique() if name.startswith("accuracy: "))
        self.names = [reference] + self.ordered(set(table["setting"]) - {reference})
        # Values by split, metric, setting (rows) and seed (columns), those of training with the settings that have them;
        # the same cells resampled, where the CSV has items.
        # Figures that not every run has, such as step accuracy where no response has an equation, are left out.
        scored = values.index.get_level_values("split") != "training"
        self.values = values.loc[~scored | values[complete].notna().all(axis=1), complete]
        self.resampled, self._differences = {}, {}
        if "items" in table:
            with_items = table[table["split"] != "training"].dropna(subset="items")
            for key, rows in with_items.groupby(["split", "metric", "setting"]):
                items = [decoded(text) for text in rows.sort_values("seed")["items"]]
                if len({part.shape for part in items}) > 1:
                    continue  # other items in each run: the interval is that over seeds
                items = np.stack(items, axis=1)
                self.resampled[key] = (100 if self.units[key[1]] == "fraction" else 1) * resampled(*items)

    def chosen_values(self, table):
        """What each row has in the columns in which validation chooses, spelled out."""
        return pd.Series([", ".join(f"{name} {value:g}" for name, value in zip(self.chosen_columns, row) if not pd.isna(value))
                          for row in table[self.chosen_columns].itertuples(index=False)], index=table.index, dtype=str)

    def choices(self):
        """The mean accuracy on validation of each arm's values, in per cent, and which of them it has in what follows."""
        rows = [{"arm": arm, "values": values, "validation, %": round(100 * value, 1),
                 "chosen": "yes" if self.choice[arm] == values else ""}
                for (arm, values), value in self.validated.items() if values]
        return pd.DataFrame(sorted(rows, key=lambda row: self.order(row["arm"])),
                            columns=["arm", "values", "validation, %", "chosen"]).set_index(["arm", "values"])

    def ordered(self, settings):
        return sorted(settings, key=self.order)

    def held(self, reference=None):
        """The reference of each setting: one setting, or what `reference`, a function, gives for the setting."""
        reference = reference or self.reference
        pairs = {name: reference(name) if callable(reference) else reference for name in self.names}
        return {name: other for name, other in pairs.items() if other != name and other in self.names}

    def differences(self, reference=None):
        """Differences to the reference (see `held`), paired by seed: the seeds; and their mean with its interval and p.

        `low over seeds` and `high over seeds` are the 95 % t interval over seeds; where the metric has items, `low` and
        `high` take in that over seeds and questions as well: they are the outer bounds of the two.
        """
        reference = reference or self.reference
        if reference in self._differences:
            return self._differences[reference]
        held = self.held(reference)
        others = self.values[self.values.index.isin(list(held), level="setting")]
        base = self.values.reindex(pd.MultiIndex.from_tuples([(*row[:2], held[row[2]]) for row in others.index]))
        seeds = others - base.to_numpy()
        count = seeds.shape[1]
        mean, error = seeds.mean(axis=1), seeds.std(axis=1) / np.sqrt(count)
        half = stats.t.ppf(0.975, count - 1) * error
        # Seeds that all differ by the same (shares are counts over questions) tell no spread: no finding, p = 1.
        spread = error > 1e-9
        p = pd.Series(1.0, index=seeds.index)
        p[spread] = 2 * stats.t.sf(mean[spread].abs() / error[spread], count - 1)
        result = pd.DataFrame({"mean": mean, "low over seeds": mean - half, "high over seeds": mean + half, "p": p})
        result["low"], result["high"] = result["low over seeds"], result["high over seeds"]
        for row in result.index:
            ours, theirs = self.resampled.get(row), self.resampled.get((*row[:2], held[row[2]]))
            if ours is not None and theirs is not None:
                low, high = np.quantile(ours - theirs, [0.025, 0.975])
                result.loc[row, ["low", "high"]] = min(low, result.loc[row, "low"]), max(high, result.loc[row, "high"])
        result["excludes zero"] = spread & ((result["low"] > 0) | (result["high"] < 0))
        self._differences[reference] = seeds, result
        return seeds, result

    def contrast(self, split, metric, weights):
        """A weighted sum of settings' figures, {setting: weight}: its mean over seeds, and outer bounds as above."""
        def total(figures):
            return sum(weight * figures(split, metric, name) for name, weight in weights.items())

        seeds = total(lambda *row: self.values.loc[row])
        half = half_interval(seeds)
        low, high = seeds.mean() - half, seeds.mean() + half
        if all((split, metric, name) in self.resampled for name in weights):
            drawn_low, drawn_high = np.quantile(total(lambda *row: self.resampled[row]), [0.025, 0.975])
            low, high = min(low, drawn_low), max(high, drawn_high)
        return {"mean": seeds.mean(), "low": low, "high": high}

    def runs(self):
        """What was run, in one sentence."""
        say(f"{self.table['run'].nunique()} runs, {self.table['seed'].nunique()} seeds, {len(self.names)} settings: "
            f"{'; '.join(self.names)}. Commit {', '.join(self.table['commit'].unique())}."
            + (f" {self.incomplete} seeds more are left out, which not every setting has." if self.incomplete else ""))

    def settings(self):
        """The settings that all runs share, one row each."""
        first = self.table[self.settings_columns].bfill().iloc[0].dropna()
        return first.map(lambda value: f"{value:g}" if isinstance(value, float) else str(value)).to_frame("value")

    def overview(self):
        """What was scored on each split, what guessing gives, where the reference stands."""
        rows = {}
        for split in ["validation"] + self.tests:
            of = lambda metric: self.table[(self.table["split"] == split) & (self.table["metric"] == metric)]
            accuracy, pairs = of("accuracy"), of("pairwise_accuracy")
            first = accuracy[accuracy["setting"] == self.reference]
            rows[split] = {
                "questions": int(accuracy["count"].iloc[0]),
                "dual pairs": int(pairs["count"].iloc[0]) if len(pairs) else 0,
                "majority baseline, %": of("majority_baseline")["value"].iloc[0],
                f"{self.reference} accuracy, %": first["value"].mean(),
                "sd over seeds": first["value"].std(),
                "half interval of one run over its questions": (first["high_95"] - first["low_95"]).mean() / 2,
            }
        return pd.DataFrame(rows).T.astype({"questions": int, "dual pairs": int}).round(1)

    def levels(self, columns=("accuracy", "majority_baseline", "unparsed", *PAIR_METRICS)):
        """Mean over seeds of each setting, in per cent or nats."""
        means = self.values.mean(axis=1).unstack("metric")
        return means.loc[[(split, name) for split in self.tests for name in self.names], list(columns)].round(3)

    def intervals(self, split, metrics=METRICS, reference=None):
        """Every difference to the reference on one split; a star marks an interval that excludes zero."""
        result = self.differences(reference)[1].loc[split]
        cells = result.loc[list(metrics)].apply(
            lambda row: statement(row, self.units[row.name[0]]) + " *" * bool(row["excludes zero"]), axis=1)
        return cells.unstack("metric").loc[list(self.held(reference)), list(metrics)].rename(columns=TITLES)

    def tally(self, names, metrics, reference=None):
        """Of the differences of `names` on the tests: how many there are, how many would exclude zero by chance, do so,
        and do so still after Holm's correction of their p over seeds."""
        result = self.differences(reference)[1].loc[[(split, metric, name) for split in self.tests
                                                     for metric in metrics for name in names]]
        found = result["excludes zero"]
        return {"intervals": len(result), "by chance": 0.05 * len(result), "exclude zero": found.sum(),
                "after Holm's correction": (found & holm(result["p"])).sum()}

    def report(self):
        """What `keystep report` wrote of the CSV, whose differences have to be those that are found here."""
        path = self.path.with_suffix(".comparisons.csv")
        if not path.exists():
            say(f"`results/{path.name}` is not there: `keystep report` writes it.")
            return
        found = pd.read_csv(path)
        if self.chosen_columns:
            found = found[found["chosen"] == "yes"].drop(columns="chosen")
            if (self.chosen_values(found) != found["arm"].map(self.choice)).any():
                raise ValueError(f"{path} has other values chosen on validation: run keystep report again")
        found["metric"] = found["metric"].replace({**EARLIER, "macro accuracy": "macro_accuracy"})
        found["unit"] = found["unit"].replace(EARLIER_UNITS)
        # A point's name there is its arm with the settings that vary.
        varying = [name for name in self.table if name in self.swept and name in found]

        def spelled(row):
            values = [(name, getattr(row, name)) for name in varying if not pd.isna(getattr(row, name))]
            return " ".join([row.arm] + [f"{name}={value if isinstance(value, str) else format(value, '.12g')}"
                                         for name, value in values])

        names = {spelled(row): row.setting for row in self.table.drop_duplicates("setting").itertuples()}
        found["arm"] = [names.get(spelled(row)) for row in found.itertuples()]
        found["reference"] = found["reference"].map(names)
        scale = np.where(found["unit"] == "fraction", 100, 1)
        for name in ("difference", "low_95", "high_95", "smallest_detectable"):
            found[name] *= scale
        known = found[["arm", "reference"]].notna().all(axis=None)
        ours = np.array([self.differences(row.reference)[1]["mean"].get((row.split, row.metric, row.arm), np.nan)
                         for row in found.itertuples() if known])
        if not known or not self.incomplete and (np.abs(ours - found["difference"]) > 1e-4).any():
            raise ValueError(f"{path} is of another {self.path.name}: run keystep report again")
        place = ["split", "metric", "arm"] + ["reference"] * (found["reference"].nunique() > 1)
        cells = found[place].copy()
        cells["difference"] = [
            statement({"mean": row.difference, "low": row.low_95, "high": row.high_95}, row.unit)
            for row in found.itertuples()]
        cells["q"] = found["q"].map("{:.3g}".format)
        cells["detectable"] = found["smallest_detectable"].round(4)
        if "equivalence_margin" in found:
            cells["within ±"] = (found["equivalence_margin"] * scale).round(4)
        if "wins" in found and found["wins"].notna().any():
            cells["wins : losses"] = ["" if np.isnan(row.wins) else f"{row.wins:.0f} : {row.losses:.0f}"
                                      for row in found.itertuples()]
        with pd.option_context("display.max_rows", None):
            display(cells.set_index(place))

    def at_floor(self, split):
        """A sentence where the reference answers no more than guessing does; None elsewhere."""
        first, floor = [self.values.loc[(split, metric, self.reference)].mean()
                        for metric in ("accuracy", "majority_baseline")]
        return None if first > floor else (
            f"**{split}**: {self.reference} answers {number(first, '.1f')} % of the questions, guessing "
            f"{number(floor, '.1f')} %. Accuracy says nothing of any claim there.")

    def judged(self, claims, metric="accuracy", tests=None):
        """Each claim about a metric on each test, what was found, and what the intervals say of it.

        A claim is who made it, its words, and comparisons: a setting, a reference, and the bounds between which the
        difference is claimed to lie, in points (or nats). It holds where all of them do. For another figure than a
        difference, the weights of its settings (see `contrast`) and words for it stand in place of the two.
        """
        lines = []
        for split in tests or self.tests:
            if floor := metric == "accuracy" and self.at_floor(split):
                lines.append(floor)
                continue
            for who, words, comparisons in claims:
                found, verdicts = [], []
                for setting, reference, least, most in comparisons:
                    weights = setting if isinstance(setting, dict) else {setting: 1, reference: -1}
                    if set(weights) <= set(self.names):
                        row = self.contrast(split, metric, weights)
                        amount = statement(row, self.units[metric], "" if sum(weights.values()) else "+")
                        found.append(f"{reference} {amount}" if weights is setting
                                     else f"{setting} {amount} against {reference}")
                        verdicts.append(verdict(row["low"], row["high"], least, most))
                word = next((word for word in ("contradicted", "open") if word in verdicts), "holds")
                lines.append(f"**{split}, {who}**: {words}: "
                             + (f"**{word}**. {'; '.join(found)}." if found else "not run."))
        return lines

    def panel(self, axis, split, metric, names):
        """One panel's title, its settings from top to bottom, and the unit below."""
        for y, name in enumerate(names[1:], 1):
            if self.mark(names[y - 1]) != self.mark(name):
                axis.axhline(y - 0.4, color="#bbbbbb", linewidth=0.8, linestyle=":")
        axis.set_yticks(range(len(names)), names)
        axis.set_ylim(len(names) - 0.4, -0.6)
        axis.tick_params(axis="y", length=0)
        axis.set_title(f"{split}\n{TITLES.get(metric, metric)}")
        axis.locator_params(axis="x", nbins=5 if self.units[metric] == "fraction" else 3)
        axis.ticklabel_format(axis="x", scilimits=(-3, 4), useMathText=True)

    def panels(self, panels, names):
        """A figure with a row of panels for each row of (split, metric)."""
        across = len(panels[0])
        return plt.subplots(len(panels), across, squeeze=False, sharey=True,
                            figsize=(1.8 + 2.5 * across, 0.6 + (0.9 + 0.26 * len(names)) * len(panels)))

    def forest(self, panels, names=None, reference=None, to=None):
        """Each setting's difference to the reference, which the title calls `to`.

        `panels` are rows of (split, metric).
        """
        seeds, result = self.differences(reference)
        held = self.held(reference)
        names = [name for name in (held if names is None else names) if name in held]
        if not names:
            return
        figure, axes = self.panels(panels, names)
        for axis, (split, metric) in zip(axes.flat, sum(panels, [])):
            axis.axvline(0, color="#555555", linewidth=1, zorder=1)
            for y, name in enumerate(names):
                shape, colour = self.mark(name)
                row = result.loc[(split, metric, name)]
                axis.plot([row["low"], row["high"]], [y, y], color=colour, linewidth=1, zorder=2)
                axis.plot(row[["low over seeds", "high over seeds"]], [y, y], color=colour, linewidth=2.6, zorder=2)
                axis.plot(row["mean"], y, shape, color=colour, markersize=6, zorder=4)
                single = seeds.loc[(split, metric, name)]
                axis.plot(single, [y + 0.33] * len(single), "o", color="#555555", markerfacecolor="white", markersize=3,
                          markeredgewidth=0.7, zorder=3)
            self.panel(axis, split, metric, names)
            if not seeds.loc[(split, metric)].loc[names].to_numpy().any():
                axis.set_xlim(-1.2, 1.2)  # nothing differs: a scale of its own would magnify nothing
            axis.set_xlabel("percentage points" if self.units[metric] == "fraction" else self.units[metric])
        figure.suptitle(f"Difference to {to or self.reference}: "
                        "mean over seeds, 95 % interval, single seeds (open circles)", fontsize=10)
        plt.show()

    def ladder(self, panels, names=None):
        """Each setting's own level, with its 95 % t interval over seeds and, for accuracy, the majority baseline."""
        names = names or self.names
        figure, axes = self.panels(panels, names)
        for axis, (split, metric) in zip(axes.flat, sum(panels, [])):
            floor = metric.replace("accuracy", "majority_baseline")
            if floor != metric:
                axis.axvline(self.values.loc[(split, floor)].iloc[0, 0], color="#555555", linewidth=1, linestyle="--")
            for y, name in enumerate(names):
                shape, colour = self.mark(name)
                single = self.values.loc[(split, metric, name)]
                half = half_interval(single)
                axis.plot([single.mean() - half, single.mean() + half], [y, y], color=colour, linewidth=2.6)
                axis.plot(single.mean(), y, shape, color=colour, markersize=6, zorder=4)
                axis.plot(single, [y + 0.33] * len(single), "o", color="#555555", markerfacecolor="white", markersize=3,
                          markeredgewidth=0.7)
            self.panel(axis, split, metric, names)
            axis.set_xlabel("%" if self.units[metric] == "fraction" else self.units[metric])
            if self.units[metric] == "fraction":
                axis.set_xlim(-3, 103)
        figure.suptitle("Mean over seeds, 95 % interval, single seeds (open circles); dashed: the majority baseline",
                        fontsize=10)
        plt.show()


def read_students(name, **settings):
    """The experiment's CSVs by student, and a sentence where there is none."""
    files = {"procedural": f"{name}.csv", "SmolLM2": f"{name}.smollm2.csv"}
    students = {student: Results(path, **settings) for student, file in files.items()
                if (path := Path("../results") / file).exists()}
    if not students:
        say(f"**`results/{name}.csv` is not there: nothing is said.**")
    return students
