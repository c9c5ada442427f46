"""The command `keystep` as notebooks run it, and a tokenizer of words for small examples."""
import json
import os
import subprocess
from pathlib import Path

COMMAND = os.environ.get("KEYSTEP") or "../.build/release/keystep"
# Where KEYSTEP names a command, it has to be there: what a notebook checks with it is never left out unseen.
THERE = bool(os.environ.get("KEYSTEP")) or Path(COMMAND).exists()
MISSING = "**The command is not there (`make build` leaves it in `.build/release/keystep`): this was not checked.**"


def keystep(*arguments):
    """Runs the command and gives its JSON lines."""
    done = subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"keystep {' '.join(map(str, arguments))}: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def write_lines(path, rows):
    """JSON lines."""
    Path(path).write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_tokenizer(path, texts):
    """A `tokenizer.json` whose tokens are the words of `texts`; id 0 is what is none of them, id 1 ends a sequence."""
    words = dict.fromkeys(["<unk>", "<eos>"] + " ".join(texts).split())
    special = [{"id": index, "content": word, "single_word": False, "lstrip": False, "rstrip": False,
                "normalized": False, "special": True} for index, word in enumerate(["<unk>", "<eos>"])]
    Path(path).write_text(json.dumps({
        "version": "1.0", "added_tokens": special, "pre_tokenizer": {"type": "WhitespaceSplit"},
        "model": {"type": "WordLevel", "unk_token": "<unk>", "vocab": {word: i for i, word in enumerate(words)}}}))
