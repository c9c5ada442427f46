"""Run the recipes of docs/training.md on a real run and compare what TensorBoard and W&B read back with its steps.csv.

usage: curves.py RUN FOLDER

RUN is the --output of `keystep train`; FOLDER is for what the recipes leave. The recipes are taken from the document, not
copied. W&B runs offline.
"""
import csv
import json
import math
import os
import re
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

RECIPES = Path(__file__).parents[2] / "docs" / "training.md"


def recipe(title: str) -> str:
    """The Python code under the heading `title`."""
    found = re.search(rf"^### {re.escape(title)}$.*?^```python\n(.*?)^```$", RECIPES.read_text(encoding="utf-8"),
                      re.MULTILINE | re.DOTALL)
    return found.group(1) if found else sys.exit(f"{RECIPES}: {title}: expected a Python recipe, found none")


def compare(name: str, expected: dict[str, dict[int, float]], found: dict[str, dict[int, float]]) -> None:
    """Both by column and step. TensorBoard keeps single precision, which is what steps.csv has."""
    if expected.keys() != found.keys():
        sys.exit(f"{name}: expected {sorted(expected)}, found {sorted(found)}")
    count = 0
    for column, values in expected.items():
        if values.keys() != found[column].keys():
            sys.exit(f"{name}: {column}: expected steps {sorted(values)}, found {sorted(found[column])}")
        for step, value in values.items():
            if not math.isclose(value, found[column][step], rel_tol=1e-6):
                sys.exit(f"{name}: {column} of step {step}: expected {value}, found {found[column][step]}")
            count += 1
    print(f"{name}: {count} values of {len(expected)} columns are those of steps.csv")


def tensorboard(folder: Path) -> dict[str, dict[int, float]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return {tag.replace("validation/", "validation_"): {event.step: event.value for event in events.Scalars(tag)}
            for tag in events.Tags()["scalars"]}


def log_records(data: bytes) -> Iterator[bytes]:
    """The records of a W&B transaction log: 7 bytes of header, then LevelDB's log format
    (https://github.com/google/leveldb/blob/main/doc/log_format.md)."""
    block, place, parts = 32768, 7, []
    while place + 7 <= len(data):
        if block - place % block < 7:  # too little for a record's header: padding
            place += block - place % block
            continue
        length, kind = struct.unpack_from("<HB", data, place + 4)
        parts.append(data[place + 7:place + 7 + length])
        place += 7 + length
        if kind in (1, 4):  # full, last
            yield b"".join(parts)
            parts = []


def wandb(file: Path) -> tuple[dict[str, dict[int, float]], dict]:
    """The history, and the summary, of an offline run's transaction log."""
    from wandb.proto import wandb_internal_pb2

    history, summary = {}, {}
    for data in log_records(file.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        items = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
        for key, value in items.items():
            if not key.startswith("_"):
                history.setdefault(key, {})[items["_step"]] = value
        for item in record.summary.update:
            summary[item.key or "/".join(item.nested_key)] = json.loads(item.value_json)
    return history, summary


def main(run: str, folder: str) -> None:
    source, place = Path(run).resolve(), Path(folder).resolve()
    (place / "runs").mkdir(parents=True)
    (place / "runs" / "krsl").symlink_to(source, target_is_directory=True)
    expected: dict[str, dict[int, float]] = {}
    with open(source / "steps.csv", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            for name, value in row.items():
                if value:
                    expected.setdefault(name, {})[int(row["step"])] = float(value)
    if not any(name.startswith("validation_") for name in expected):
        sys.exit(f"{source}/steps.csv: expected columns of validation, found {sorted(expected)}")
    os.chdir(place)
    os.environ |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true"}

    exec(compile(recipe("TensorBoard"), f"{RECIPES}: TensorBoard", "exec"), {})
    others = {name: values for name, values in expected.items() if name != "step"}
    compare("TensorBoard", others, tensorboard(source / "tensorboard"))

    exec(compile(recipe("Weights & Biases"), f"{RECIPES}: Weights & Biases", "exec"), {})
    logs = list(place.glob("wandb/offline-run-*/run-*.wandb"))
    if len(logs) != 1:
        sys.exit(f"W&B: expected one offline run, found {len(logs)}")
    history, summary = wandb(logs[0])
    compare("W&B", expected, history)
    recorded = json.loads((source / "training_summary.json").read_text(encoding="utf-8"))
    if summary.get("best_step") != recorded["best_step"]:
        sys.exit(f"W&B: expected best_step {recorded['best_step']} in the summary, found {summary.get('best_step')}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
