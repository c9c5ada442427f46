"""Make a Parquet file of pairs, and turn it into JSON Lines by the very lines that docs/data.md gives.

usage: parquet.py PAIRS.jsonl FOLDER

Writes FOLDER/pairs.parquet and, by the first Python block of the section "Parquet and data sets of the hub",
FOLDER/pairs.jsonl, which must hold the same objects, and the same again compressed by gzip.
"""
import contextlib
import gzip
import json
import re
import sys
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "data.md"


def recipe() -> str:
    section = DOCUMENT.read_text(encoding="utf-8").split("## Parquet and data sets of the hub", 1)
    block = re.search(r"```python\n(.*?)```", section[-1], re.DOTALL) if len(section) == 2 else None
    if not block or len(block[1].splitlines()) != 2:
        sys.exit(f"{DOCUMENT}: expected two lines of Python under \"Parquet and data sets of the hub\"")
    return block[1]


def main(pairs: str, folder: Path) -> None:
    from datasets import Dataset

    lines = [json.loads(line) for line in Path(pairs).read_text(encoding="utf-8").splitlines()]
    lines[0]["prompt"] = "Grüße: " + lines[0]["prompt"]
    folder.mkdir(parents=True, exist_ok=True)
    Dataset.from_list(lines).to_parquet(folder / "pairs.parquet")
    code = recipe()
    print(code, end="")
    with contextlib.chdir(folder):
        exec(compile(code, str(DOCUMENT), "exec"), {})
    text = (folder / "pairs.jsonl").read_text(encoding="utf-8")
    if [json.loads(line) for line in text.splitlines()] != lines:
        sys.exit(f"{folder}/pairs.jsonl: expected the objects that {pairs} has")
    with gzip.open(folder / "pairs.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write(text)
    print(f"datasets: {len(lines)} pairs from Parquet to JSON Lines")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], Path(sys.argv[2]))
