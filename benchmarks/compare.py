"""Time keystep beside its peers: the same weights and examples, the two programs in turn, medians of paired runs.

usage: compare.py [--pairs FILE.jsonl] [--runs 5] [--steps 3] [--only krsl-fp32,decode-fp32] [--output FILE.csv]

Works on SmolLM2 and GSM8K need --pairs, JSON lines as `keystep pair --format gsm8k-solutions` writes them; the others
make their data. `scripts/bench_peers.sh` (`make bench-peers`) sets all up and calls this.

A run is one process. Its first step is a warm-up; its speed is that of the others together, or of that step where it is
the only one. A ratio above 1 says that ours is so many times as fast. A peer may compute a step in micro-batches: it gets
the largest that its memory allows. The rows of works that are not run, and those of other machines, stay in the CSV as
they are.
"""
import argparse
import csv
import json
import math
import os
import platform
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

root = Path(__file__).resolve().parent.parent
data = Path("runs/peers")
quantized = "models/SmolLM2-135M-Instruct.Q4_1.gguf"
smollm2, student, procedural = data / "smollm2", data / "student", data / "procedural"
keystep, bench = ".build/release/keystep", ".build/release/keystep-bench"
python = ".peers-venv/bin/python"
micro_batches = tuple((f"8 pairs as {8 // size} × {size}", ["--micro-batch", f"{size}"]) for size in (8, 4, 2, 1))
loss_tolerance = 1e-4
# What a peer leaves to the rest of the machine, in bytes.
spare_memory = 2 << 30


class Failure(Exception):
    """A run that ended without a result, and why."""


@dataclass
class Work:
    """One line of the table: what ours and its peer do, as command lines, and what the ratio has to be."""
    name: str
    title: str
    peer_name: str
    ours: list[str]
    peer: list[str]
    # The smallest ratio of speeds; of a start, the most seconds that ours may take.
    target: float
    # What is compared: step (useful tokens/s), decode (new tokens/s), script (µs a pair), start (s to the first step).
    kind: str = "step"
    # Whether first losses, or first tokens, must agree.
    exact: bool = True
    # Further settings of the peer, of which the first with which it gets through a run are taken, and what to say of them.
    peer_settings: tuple[tuple[str, list[str]], ...] = ()
    # The module whose absence leaves the work out.
    needs: str | None = None


@dataclass
class Run:
    """What one process reported."""
    value: float
    peak_gib: float
    check: list = field(default_factory=list)


def works(pairs: Path | None, steps: int, new_tokens: int) -> list[Work]:
    def training(model: Path, examples: Path, objective: str, batch: int, steps: int, *settings: str):
        """The settings that both programs know, and those of ours alone."""
        both = ["--model", f"{model}", "--pairs", f"{examples}", "--objective", objective, "--batch-size", f"{batch}",
                "--steps", f"{steps}", *settings]
        ours = [keystep, "train", *both, "--tokenizer", f"{model}/tokenizer.json", "--lora-dropout", "0",
                "--no-shuffle", "--json"]
        return ours, [python, "benchmarks/peers/train.py", *both]

    def against(name: str, title: str, peer_name: str, command, target: float, dtype: str = "fp32",
                ours: str | None = None, **more) -> Work:
        """`dtype` is the peer's precision, and ours where `ours` is left out."""
        ours = ours or dtype
        return Work(name, title + (" (ours bf16)" if ours == "bf16" else ""), peer_name,
                    [*command[0], "--precision", ours], [*command[1], "--dtype", dtype], target,
                    exact=ours == dtype == "fp32", **more)

    def both_precisions(name: str, title: str, command, targets: tuple[float, float], peers: tuple[str, str], **more):
        """Ours in bf16 against the peer in fp32 and in bf16; nothing on a processor without bf16 instructions."""
        if not has_bf16():
            return []
        return [against(f"{name}-bf16-fp32", title, peers[0], command, targets[0], ours="bf16", **more),
                against(f"{name}-bf16", title, peers[1], command, targets[1], "bf16", **more)]

    shared = procedural / "train.pairs.jsonl"
    scratch = ["--tuning", "full", "--learning-rate", "1e-3", "--weight-decay", "0.05"]
    fp32, bf16 = "PyTorch fp32", "PyTorch bf16 autocast"
    chosen: list[Work] = []
    if pairs:
        key_steps = training(smollm2, pairs, "krsl", 8, steps, "--tuning", "lora")
        full = training(smollm2, pairs, "sft", 8, steps, "--tuning", "full", "--learning-rate", "2e-4")
        chosen += [
            against("krsl-fp32", "KRSL step, SmolLM2, LoRA, GSM8K pairs", fp32, key_steps, 5, peer_settings=micro_batches),
            *both_precisions("krsl", "KRSL step, SmolLM2, LoRA, GSM8K pairs", key_steps, (5, 3), (fp32, bf16),
                             peer_settings=micro_batches),
        ]
    chosen.append(against(
        "krsl-shared", "KRSL step, SmolLM2, LoRA, procedural pairs", fp32,
        training(smollm2, shared, "krsl", 8, steps, "--tuning", "lora"), 8, peer_settings=micro_batches))
    if pairs:
        chosen += [
            against("sft-fp32", "SFT step, SmolLM2, full", fp32, full, 2.5, peer_settings=micro_batches),
            *both_precisions("sft", "SFT step, SmolLM2, full", full, (4, 2), (fp32, bf16), peer_settings=micro_batches),
        ]
    for objective in ("sft", "krsl"):
        chosen.append(against(
            f"scratch-{objective}", f"{objective.upper()} step, from-scratch student, full", "PyTorch fp32 eager",
            training(student, shared, objective, 16, 60, *scratch), 8))
    if pairs:
        prompts = data / "prompts.jsonl"
        count = 32
        with pairs.open(encoding="utf-8") as source, prompts.open("w", encoding="utf-8") as target:
            for _, line in zip(range(count), source):
                target.write(json.dumps({"prompt": json.loads(line)["prompt"]}) + "\n")
        both = ["--prompts", f"{prompts}", "--new-tokens", f"{new_tokens}"]
        def decode(model: Path | str, *settings: str) -> list[str]:
            return [bench, "decode", "--model", f"{model}", "--batch", f"{count}", "--runs", "1", *both, *settings]

        ours = decode(smollm2)
        transformers = [python, "benchmarks/peers/generate.py", "--model", f"{smollm2}", *both]

        def llama(model: Path | str) -> list[str]:
            return [python, "benchmarks/peers/generate_llama.py", "--model", f"{model}",
                    "--tokenizer", f"{smollm2}/tokenizer.json", *both]

        title = f"greedy decoding, SmolLM2, {count} prompts"
        chosen += [
            against("decode-fp32", title, "Transformers fp32", (ours, transformers), 5, kind="decode"),
            *both_precisions("decode", title, (ours, transformers), (5, 2.5),
                             ("Transformers fp32", "Transformers bf16"), kind="decode"),
            Work("decode-llama", title, "llama.cpp F32", ours, llama(data / "smollm2-f32.gguf"), 1, kind="decode",
                 needs="llama_cpp"),
        ]
        if has_bf16():
            chosen += [
                Work("decode-llama-bf16", f"{title} (ours bf16)", "llama.cpp BF16",
                     decode(smollm2, "--precision", "bf16"), llama(data / "smollm2-bf16.gguf"), 1, kind="decode",
                     exact=False, needs="llama_cpp"),
                Work("decode-llama-q4", f"{title}, weights in Q4_1 (ours bf16)", "llama.cpp Q4_1",
                     decode(quantized, "--precision", "bf16", "--base-dtype", "stored"), llama(quantized), 1,
                     kind="decode", exact=False, needs="llama_cpp",
                     peer_settings=(("weights repacked", []), ("weights as in the file", ["--plain-weights"]))),
            ]
        ours, _ = training(smollm2, pairs, "krsl", 8, steps, "--tuning", "lora")
        for precision in ["fp32", "bf16"] if has_bf16() else ["fp32"]:
            own = [*ours, "--precision", precision]
            chosen.append(Work(f"workers-{precision}", f"KRSL step, SmolLM2, LoRA, GSM8K pairs, {precision}",
                               "keystep, one worker", own, [*own, "--workers", "1"], 1.9))
    _, peer = training(smollm2, shared, "krsl", 1, 1, "--tuning", "lora")
    ours = [keystep, "train", "--model", quantized, "--pairs", f"{shared}", "--objective", "krsl", "--batch-size", "1",
            "--steps", "1", "--no-shuffle", "--json"]
    chosen += [
        Work("start", "start to first step, SmolLM2 (ours from GGUF)", fp32, ours, peer, 1.5, kind="start",
             exact=False),
        Work("edit-script", "edit script of a 125-token pair", "RapidFuzz", [bench, "edit-script"],
             [python, "benchmarks/peers/edit_script.py"], 1, kind="script"),
    ]
    return chosen


def has_bf16() -> bool:
    """Whether the processor multiplies bfloat16, as Linux lists it."""
    try:
        words = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return False
    return not words.isdisjoint({"avx512_bf16", "amx_bf16", "bf16"})


def available_memory() -> int:
    """Bytes that the system can give to new processes; 0 where it does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return 0


def bounded(limit: int):
    """What a peer's process does before it starts: no more data than `limit`, and the first to be killed."""
    def prepare() -> None:
        if limit > 0:
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        try:
            Path("/proc/self/oom_score_adj").write_text("1000")
        except OSError:
            pass
    return prepare


def execute(command: list[str], kind: str, is_peer: bool, timeout: float) -> Run:
    """Runs one process and reads its JSON lines. Throws a Failure with its last words where it has no result."""
    start = time.perf_counter()
    prepare = bounded(available_memory() - spare_memory) if is_peer else None
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        try:
            process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=errors, text=True,
                                       preexec_fn=prepare, env={**os.environ, "HF_HUB_OFFLINE": "1"})
        except OSError as error:
            raise Failure(f"{command[0]}: {error.strerror}") from None
        with process:
            lines, first = [], 0.0
            try:
                deadline = start + timeout
                for line in process.stdout:
                    first = first or time.perf_counter() - start
                    if line.startswith("{"):
                        lines.append(json.loads(line))
                    if time.perf_counter() > deadline:
                        raise Failure(f"not done after {timeout:.0f} s")
                process.wait()
            finally:
                process.kill()
        errors.seek(0)
        last = [line.strip() for line in errors if line.strip()][-1:]
    if process.returncode != 0 or not lines:
        raise Failure(f"status {process.returncode}: {last[0][:300] if last else 'no message'}")
    peak = max(line.get("peak_rss_gib", math.nan) for line in lines)
    if kind == "step":
        counted = lines[1:] or lines
        value = sum(line["useful_tokens"] for line in counted) / sum(line["seconds"] for line in counted)
        return Run(value, peak, [lines[0]["loss"], lines[0]["useful_tokens"]])
    if kind == "start":
        return Run(first - lines[0]["seconds"], peak)
    if kind == "script":
        return Run(lines[-1]["microseconds_median"], peak, [lines[-1]["distance_mean"]])
    return Run(lines[-1]["new_tokens_per_second"], peak, lines[-1].get("tokens", []))


def agreement(work: Work, ours: Run, peer: Run, timeout: float) -> tuple[float, bool]:
    """How far the two are from the same result, and whether that is near enough: the relative difference of the first
    loss, or the fraction of prompts whose first token differs."""
    if work.kind == "step":
        if ours.check[1] != peer.check[1]:
            raise Failure(f"ours trained on {ours.check[1]} tokens in the first step, the peer on {peer.check[1]}")
        difference = abs(ours.check[0] - peer.check[0]) / abs(peer.check[0])
        return difference, not work.exact or difference <= loss_tolerance
    if work.kind == "script":
        difference = abs(ours.check[0] - peer.check[0]) / peer.check[0]
        return difference, difference < 0.05
    if work.kind == "decode":
        command = [keystep, "generate", "--model", f"{smollm2}", "--prompts", f"{data}/prompts.jsonl",
                   "--max-new-tokens", "1", "--json"]
        printed = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=timeout, check=True).stdout
        first = [json.loads(line)["tokens"][0] for line in printed.splitlines()]
        differing = sum(a != b[0] for a, b in zip(first, peer.check, strict=True))
        return differing / len(first), not work.exact or differing <= 0.05 * len(first)
    return math.nan, True


def survivor(work: Work, timeout: float) -> tuple[list[str], str]:
    """The peer's command with the first of its settings that gets through a run, and a note on those that do not."""
    failures = []
    for title, settings in work.peer_settings:
        command = [*work.peer, *settings]
        try:
            peak = execute(command, work.kind, True, timeout).peak_gib
        except Failure as failure:
            failures.append(f"{title}: {failure}")
            continue
        return command, "; ".join([f"peer: {title}, {peak:.1f} GiB", *failures])
    raise Failure("peer in every setting; " + "; ".join(failures))


def compare(work: Work, runs: int, timeout: float, micro_batch: int | None) -> dict:
    """The row of one work; `problem` says why it has no result, or why its result does not count."""
    row = {"work": work.name, "title": work.title, "peer": work.peer_name, "target": work.target,
           "unit": {"step": "useful tokens/s", "decode": "new tokens/s", "script": "µs", "start": "s"}[work.kind],
           "ours_command": shlex.join(work.ours), "peer_command": shlex.join(work.peer), "problem": "", "note": ""}
    lower_is_better = work.kind in ("script", "start")
    try:
        if work.needs and subprocess.run([python, "-c", f"import {work.needs}"], cwd=root,
                                         capture_output=True).returncode != 0:
            raise Failure(f"{work.needs} is not installed in .peers-venv")
        peer = work.peer
        if micro_batch and work.peer_settings is micro_batches:
            peer, row["note"] = [*peer, "--micro-batch", f"{micro_batch}"], f"peer: {micro_batch} pairs at once"
        elif work.peer_settings:
            peer, row["note"] = survivor(work, timeout)
        row["peer_command"] = shlex.join(peer)
        ours_runs, peer_runs = [], []
        for index in range(runs):
            try:
                ours_runs.append(execute(work.ours, work.kind, False, timeout))
            except Failure as failure:
                raise Failure(f"ours, run {index + 1}: {failure}") from None
            try:
                is_peer = peer[0] == python
                peer_runs.append(execute(peer, work.kind, is_peer, timeout))
            except Failure as failure:
                raise Failure(f"peer, run {index + 1}: {failure}") from None
            print(f"  {work.name} {index + 1}/{runs}: {ours_runs[-1].value:.4g} against {peer_runs[-1].value:.4g} "
                  f"{row['unit']}", file=sys.stderr, flush=True)
        ratios = [b.value / a.value if lower_is_better else a.value / b.value for a, b in zip(ours_runs, peer_runs)]
        row |= {
            "runs": runs, "ours": statistics.median(run.value for run in ours_runs),
            "peer_value": statistics.median(run.value for run in peer_runs),
            "ratio": statistics.median(ratios), "ratio_min": min(ratios), "ratio_max": max(ratios),
            "ours_peak_gib": max(run.peak_gib for run in ours_runs),
            "peer_peak_gib": max(run.peak_gib for run in peer_runs)}
        row["difference"], agrees = agreement(work, ours_runs[0], peer_runs[0], timeout)
        if not agrees:
            row["problem"] = f"the results differ by {row['difference']:.2g}"
        reached = row["ours"] <= work.target if work.kind == "start" else row["ratio"] >= work.target
        row["met"] = "yes" if reached and agrees else "no"
    except Failure as failure:
        row["problem"] = f"{failure}"
    except (subprocess.SubprocessError, KeyError, ValueError) as error:
        row["problem"] = f"{type(error).__name__}: {error}"
    return row


def memory(row: dict) -> dict:
    """The row on peak memory that the runs of `row` give along the way; the peer's is that of its micro-batch."""
    ours, peer, target = row["ours_peak_gib"], row["peer_peak_gib"], 2.0
    ratio = peer / ours
    return row | {"work": "krsl-memory", "title": "peak memory of the KRSL step, 8 pairs", "unit": "GiB", "ours": ours,
                  "peer_value": peer, "ratio": ratio, "ratio_min": ratio, "ratio_max": ratio, "target": target,
                  "met": "yes" if ours <= target else "no", "problem": ""}


def surroundings() -> dict:
    """The machine and the versions, the same for every row of a call."""
    def output(*command: str) -> str:
        try:
            return subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.strip()
        except (OSError, subprocess.SubprocessError):
            return ""

    versions = []
    for package in ("torch", "transformers", "peft", "rapidfuzz", "llama-cpp-python"):
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            versions.append(f"{package} absent")
    processor = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                      if line.startswith("model name")), platform.processor())
    peak = output(bench, "peak")
    peak = json.loads(peak) if peak.startswith("{") else {}
    modified = "+" if output("git", "status", "--porcelain", "--untracked-files=no", "--", ".", ":!results") else ""
    return {
        "versions": ", ".join([f"Python {platform.python_version()}", *versions]), "processor": processor,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "blas_core": peak.get("kernel", "unknown"), "sgemm_gflops": peak.get("gflops", ""),
        "commit": output("git", "rev-parse", "--short=12", "HEAD") + modified, "date": date.today().isoformat()}


columns = ["work", "title", "peer", "unit", "ours", "peer_value", "ratio", "ratio_min", "ratio_max", "target", "met",
           "runs", "difference", "ours_peak_gib", "peer_peak_gib", "note", "problem", "ours_command", "peer_command",
           "versions", "processor", "cores", "memory_gib", "blas_core", "sgemm_gflops", "commit", "date"]


def write(path: Path, rows: list[dict], order: list[str]) -> None:
    """Puts `rows` in place of those of the same works on the same kind of machine, the others left as they are."""
    def key(row: dict) -> tuple:
        return f"{row['processor']}, {row['blas_core']}, {row['cores']}", row["work"]

    kept = {}
    if path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            kept = {key(row): row for row in csv.DictReader(file)}
    kept |= {key(row): row for row in rows}
    place = {name: index for index, name in enumerate(order)}
    names = sorted(kept, key=lambda name: (name[0], place.get(name[1], len(order))))
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(path.name + ".new")
    with scratch.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for name in names:
            writer.writerow({key: f"{value:.6g}" if isinstance(value, float) else value
                             for key, value in kept[name].items()})
    scratch.replace(path)


def show(rows: list[dict]) -> None:
    header = ["work", "peer", "ours", "peer's", "unit", "ratio (min–max)", "target", "met", "GiB", "peer's GiB"]
    table = [header]
    for row in rows:
        if "ratio" not in row:
            table.append([row["title"], row["peer"], "–", "–", row["unit"], "–", f"{row['target']:g}", "not run", "–",
                          "–"])
            continue
        is_limit = row["unit"] in ("s", "GiB")
        target = f"≤ {row['target']:g} {row['unit']}" if is_limit else f"{row['target']:g} ×"
        table.append([row["title"], row["peer"], f"{row['ours']:.4g}", f"{row['peer_value']:.4g}", row["unit"],
                      f"{row['ratio']:.2f} ({row['ratio_min']:.2f}–{row['ratio_max']:.2f})", target, row["met"],
                      f"{row['ours_peak_gib']:.2f}", f"{row['peer_peak_gib']:.2f}"])
    widths = [max(len(line[column]) for line in table) for column in range(len(header))]
    for line in table:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip())
    for row in rows:
        for remark in filter(None, (row["note"], row["problem"])):
            print(f"{row['work']}: {remark}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path)
    parser.add_argument("--runs", type=int, default=5, help="runs of each program")
    parser.add_argument("--steps", type=int, default=3, help="steps of a run on SmolLM2, the first a warm-up")
    parser.add_argument("--new-tokens", type=int, default=64, help="tokens decoded after each prompt")
    parser.add_argument("--micro-batch", type=int, help="pairs that the peer computes at once; else it is tried")
    parser.add_argument("--only", help="works, separated by commas")
    parser.add_argument("--timeout", type=float, default=1800, help="seconds of a run")
    parser.add_argument("--output", type=Path, default=root / "results/performance.csv")
    options = parser.parse_args()
    if options.runs < 1 or options.steps < 1 or options.new_tokens < 1:
        parser.error("--runs, --steps and --new-tokens expected numbers from 1 up")
    if options.pairs and not options.pairs.is_file():
        parser.error(f"--pairs: {options.pairs} is no file")
    pairs = data / "pairs.jsonl" if options.pairs else None
    if pairs:
        shutil.copy(options.pairs, root / pairs)
    output = options.output.resolve()
    os.chdir(root)
    chosen = works(pairs, options.steps, options.new_tokens)
    order = [name for work in chosen for name in (work.name, *(["krsl-memory"] if work.name == "krsl-fp32" else []))]
    if options.only:
        names = options.only.split(",")
        if unknown := [name for name in names if name not in order]:
            parser.error(f"--only: {', '.join(unknown)}: expected some of {', '.join(order)}"
                         + ("" if pairs else " (more with --pairs)"))
        chosen = [work for work in chosen if work.name in names]
    around = surroundings()
    rows = []
    for work in chosen:
        row = compare(work, options.runs, options.timeout, options.micro_batch) | around
        rows.append(row)
        if work.name == "krsl-fp32" and "ratio" in row:
            rows.append(memory(row))
        write(output, rows, order)
    show(rows)
    if not pairs:
        print("without --pairs the works on GSM8K pairs were left out")
    sys.exit(1 if any(row["problem"] for row in rows) else 0)


if __name__ == "__main__":
    main()
