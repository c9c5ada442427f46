"""Measure a KRSL step on a model of LLaMA-2-7B's shape and write results/llama7b.csv; `make bench-7b` calls this.

usage: llama7b.py NAME=MODEL... [--tokens 400] [--precisions bf16,fp32] [--output FILE.csv]

Each run is a process of its own with one worker: one pair (a prompt and two responses of random tokens, `--tokens` in
all, a third each), LoRA r = 64 on q_proj and v_proj, a base in its file's type, gradient checkpointing. The first step
is a warm-up, the second is measured.
"""
import argparse
import csv
import json
import subprocess
from datetime import date
from pathlib import Path

BENCH = ".build/release/keystep-bench"
COLUMNS = ["base", "precision", "tokens", "seconds", "gflop", "peak_gflops", "peak_rss_gib", "products", "expansion",
           "rounding", "attention", "kernel", "processor", "commit", "date"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="q4_0=FILE.gguf, bf16=FOLDER")
    parser.add_argument("--tokens", type=int, default=400)
    parser.add_argument("--precisions", default="bf16,fp32")
    parser.add_argument("--output", type=Path, default=Path("results/llama7b.csv"))
    options = parser.parse_args()
    processor = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "")
    git = ["git", "rev-parse", "--short=12", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    rows = []
    for model in options.models:
        base, path = model.split("=", 1)
        for precision in options.precisions.split(","):
            command = [BENCH, "step", "--work", "random", "--model", path, "--base-dtype", "stored", "--precision", precision,
                       "--gradient-checkpointing", "--batch", "1", "--steps", "1", "--workers", "1",
                       "--tokens", f"{options.tokens}"]
            line = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            row = {"base": base, "precision": precision, "tokens": options.tokens, "seconds": line["seconds_median"],
                   "gflop": line["gflop_per_step"], "peak_gflops": line["peak_gflops"],
                   "peak_rss_gib": line["peak_rss_gib"], "kernel": line["kernel"], "processor": processor,
                   "commit": commit, "date": date.today().isoformat()}
            row |= {name: line[f"share_{name}"] for name in ("products", "expansion", "rounding", "attention")}
            print(f"{base} in {precision}: {row['seconds']:.1f} s, {row['peak_rss_gib']:.1f} GiB", flush=True)
            rows.append(row)
    with open(options.output, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({key: f"{value:.6g}" if isinstance(value, float) else value for key, value in row.items()})
    print(f"CSV: {options.output}")


main()
