"""Execute every shell command that the documents show, on stand-ins for models, data and servers.

Each ```sh block of README.md, docs/ and experiments/*/README.md runs, in the order of its document, in a scratch folder
that has small files under the names that the documents use. There,

- `keystep` is the built command, and every model a random student of a few hundred thousand parameters;
- `keystep serve` is told to end as soon as it has printed its address;
- `make experiment` calls the built experiment, which reads its flags and files and writes its plan, but trains nothing;
- other targets of `make` are looked up in the Makefile;
- port 8000 of this machine is a teacher that knows one answer.

A block under the comment `<!-- not executed: reason -->` is counted and left out.

usage: check_commands.py [--products FOLDER] [DOCUMENT ...]    FOLDER holds the built programs (.build/release)
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

root = Path(__file__).resolve().parent.parent
block_form = re.compile(r"(?:<!-- not executed: (?P<reason>[^>]*) -->\n\n?)?^```sh\n(?P<commands>.*?)^```", re.M | re.S)
documented_model, model = "models/SmolLM2-135M-Instruct.Q4_1.gguf", "models/student"

# `make` as the documents call it. Words of ARGS are split as scripts/experiment.sh splits them.
make_stand_in = r"""#!/usr/bin/env bash
set -euo pipefail
NAME='' ARGS='' MODEL='' PAIRS='' ENGINE='' SLURM='' targets=()
for word in "$@"; do
  case $word in
  NAME=* | ARGS=* | MODEL=* | PAIRS=* | ENGINE=* | SLURM=*) printf -v "${word%%=*}" '%s' "${word#*=}" ;;
  *=*) printf 'make: no variable %s\n' "${word%%=*}" >&2; exit 2 ;;
  *) targets+=("$word") ;;
  esac
done
for target in "${targets[@]}"; do
  grep -q "^$target:" "$ROOT/Makefile" || { printf 'make: no target %s\n' "$target" >&2; exit 2; }
  case $target in experiment | status | soak) ;; *) continue ;; esac
  names=("$NAME")
  [ "$NAME" != all ] || mapfile -t names < <(ls "$ROOT/experiments")
  arguments=()
  words=$(xargs -rn1 printf '%s\n' <<<"$ARGS")
  [ -z "$words" ] || mapfile -t arguments <<<"$words"
  [ -z "$MODEL" ] || arguments+=(--model "$MODEL")
  [ -z "$PAIRS" ] || arguments+=(--pairs "$PAIRS")
  [ -z "$ENGINE" ] || arguments+=(--engine "$ENGINE" --dry-run)
  [ -z "$SLURM" ] || arguments+=("--slurm=$SLURM")
  for name in "${names[@]}"; do
    case $target,$ENGINE in
    status,*) "$PRODUCTS/$name" status ;;
    *,slurm) "$PRODUCTS/$name" "${arguments[@]}"; "$PRODUCTS/$name" plan ;;
    *) "$PRODUCTS/$name" plan "${arguments[@]}" ;;
    esac
  done
done
"""

# `keystep` as the documents call it. A server takes a free port in place of its usual one.
keystep_stand_in = r"""#!/usr/bin/env bash
set -euo pipefail
[ "${1:-}" = serve ] || exec "$PRODUCTS/keystep" "$@"
address=$(mktemp -p .)
"$PRODUCTS/keystep" "$@" --port 0 >"$address" &
server=$!
while [ ! -s "$address" ] && kill -0 "$server" 2>/dev/null; do sleep 0.1; done
cat "$address"
kill "$server" 2>/dev/null || true
wait "$server"
"""


def write_lines(path: Path, objects):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in objects))


def write_data(folder: Path):
    """Questions about sums in each published form that the documents name, with right and wrong answers."""
    sums = [(a, b) for a in range(2, 42) for b in range(3, 8)]

    def question(a, b):
        return f"Ann has {a} pens and buys {b}. How many has she?"

    def chain(a, b, off=0):
        return f"She has {a} and gets {b}. {a} + {b} = {a + b + off}. So the answer is {a + b + off}."

    def outputs(name):
        return {"canary": "", "outputs": [
            {"input": f"Q: {question(a, b)} ({name})\nA:", "prediction": chain(a, b, (a + b) % 4 == 0),
             "target": str(a + b)} for a, b in sums]}

    def solution(a, b, off=0):
        found = a + b + off
        return {"is_correct": off == 0, "solution": f"{a}+{b} = <<{a}+{b}={found}>>{found}\nA: {found}"}

    pairs = [{"id": f"sum-{a}-{b}", "prompt": f"Q: {question(a, b)}\nA:", "chosen": " " + chain(a, b),
              "rejected": " " + chain(a, b, 1), "answer": str(a + b)} for a, b in sums]
    learned, heldout = pairs[:180], pairs[180:]
    write_lines(folder / "pairs.jsonl", learned)
    write_lines(folder / "heldout.jsonl", heldout)
    write_lines(folder / "prompts.jsonl", ({key: pair[key] for key in ("id", "prompt", "answer")} for pair in heldout))
    write_lines(folder / "chats.jsonl", (
        {"messages": [{"role": "user", "content": pair["prompt"]}, {"role": "assistant", "content": pair["chosen"]}]}
        for pair in heldout))
    write_lines(folder / "chains.jsonl", ({"prompt": pair["prompt"], "response": pair["chosen"]} for pair in learned))
    write_lines(folder / "answers.jsonl", ({"response": pair["chosen"], "answer": pair["answer"]} for pair in heldout))
    write_lines(folder / "train.jsonl", (
        {"question": question(a, b), "answer": f"{a}+{b}\n#### {a + b}"} for a, b in sums[:40]))
    write_lines(folder / "example_model_solutions.jsonl", (
        {"question": question(a, b), "ground_truth": f"{a}+{b}\nA: {a + b}", "6b_finetuning": solution(a, b, 1),
         "6b_verification": solution(a, b), "175b_finetuning": solution(a, b), "175b_verification": solution(a, b, 2)}
        for a, b in sums))
    examples = [{"input": question(a, b), "target": str(a + b)} for a, b in sums]
    (folder / "navigate.json").write_text(json.dumps({"canary": "", "examples": examples}))
    published = "BIG-Bench-Hard/code-davinci-002-outputs/code-davinci-002-cot"
    for name in ["bbh/code-davinci-002/navigate", "bbh/code-davinci-002/sports"] + [f"{published}/{task}" for task in (
            "boolean_expressions", "object_counting", "temporal_sequences", "web_of_lies")]:
        path = folder / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(outputs(path.stem)))
    for name, some in {"ARC-Easy": sums[:20], "ARC-Challenge": sums[20:40]}.items():
        (folder / f"{name}.json").write_text(json.dumps([
            {"input": f"Question: {question(a, b)}\nOptions:\n(A) {a + b}\n(B) {a}", "target": "(A)"}
            for a, b in some]))
    write_lines(folder / "aqua-rat.jsonl", (
        {"passage": None, "question": question(a, b), "options": [f"(A){a}", f"(B){a + b}"], "label": "B"}
        for a, b in sums[:20]))
    tracking = []
    for first, second in (("Ida", "Kay"), ("Kay", "Jon"), ("Ida", "Jon")):
        tracking.append({
            "input": "Ida, Jon, and Kay trade mugs. At the start, they each hold one: Ida has a tin mug, Jon has a "
                     f"glass mug, and Kay has a clay mug.\nFirst, {first} and {second} swap mugs. Finally, Kay and Jon "
                     "swap mugs. At the end, Kay has the\nOptions:\n(A) tin mug.\n(B) glass mug.\n(C) clay mug.",
            "steps": [f"{first} and {second} swap: Ida: clay mug, Jon: clay mug, Kay: tin mug.",
                      "Kay and Jon swap: Ida: clay mug, Jon: tin mug, Kay: clay mug. So the answer is (C)"],
            "target": "(B)", "mistake_index": 0})
    write_lines(folder / "tracking_shuffled_objects.jsonl", tracking)
    write_lines(folder / "multistep_arithmetic.jsonl", [{
        "input": "((2 * 3 - -4) * (5 - 7)) =",
        "steps": ['This equation can be written as "(A * B)", where A = (2 * 3 - -4) and B = (5 - 7).',
                  "Let's calculate A = (2 * 3 - -4) = (6 - 4) = 2.", "Let's calculate B = (5 - 7) = (-2).",
                  "Then, the final equation is (A * B) = (2 * -2) = -4. So the answer is -4"],
        "target": "-20", "mistake_index": 1}])
    write_lines(folder / "wrong_solutions.jsonl", (
        {"uuid": f"{a}-{b}", "question": question(a, b), "ground_truth_answer": a + b,
         "ground_truth_solution": f"{a}+{b} = <<{a}+{b}={a + b}>>{a + b}\n#### {a + b}",
         "model_output_steps": [f"Step 1: {a} + {b} = {a + b + 1}", f"Step 2: #### {a + b + 1}"],
         "model_output_solution_first_error_step": 1} for a, b in sums[:40]))


def write_model(folder: Path, keystep: Path):
    """A folder of `edit-data`, and a random student with a byte-level tokenizer and a chat template."""
    subprocess.run([keystep, "edit-data", "--teacher", "procedural", "--questions-count", "60", "--output", "data"],
                   cwd=folder, check=True, capture_output=True)
    student = folder / model
    subprocess.run(
        [keystep, "train", "--preset", "procedural-small", "--tokenizer",
         root / "Tests/Fixtures/tokenizers/smollm2/tokenizer.json", "--chains", "chains.jsonl", "--objective", "sft",
         "--tuning", "full", "--steps", "1", "--batch-size", "2", "--output", student],
        cwd=folder, check=True, capture_output=True)
    # Room for a teacher's exemplars.
    configuration = json.loads((student / "config.json").read_text())
    configuration["max_position_embeddings"] = 4096
    (student / "config.json").write_text(json.dumps(configuration))
    (student / "chat_template.jinja").write_text(
        "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}assistant:{% endif %}")


class Teacher(BaseHTTPRequestHandler):
    """An OpenAI-compatible endpoint that gives everyone the same chain."""

    protocol_version = "HTTP/1.1"
    text = " She counts all pens. So the answer is 7."

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.dumps({"object": "chat.completion", "model": "stand-in", "choices": [
            {"index": 0, "text": self.text, "message": {"role": "assistant", "content": self.text},
             "finish_reason": "stop"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def make_scratch(folder: Path, products: Path):
    """The folder in which a document's commands run."""
    for name in ("bin", "models", ".build"):
        (folder / name).mkdir()
    (folder / ".build/release").symlink_to(products)
    for name, script in (("make", make_stand_in), ("keystep", keystep_stand_in)):
        (folder / "bin" / name).write_text(script)
        (folder / "bin" / name).chmod(0o755)
    shutil.copytree(root / "results", folder / "results", ignore=shutil.ignore_patterns("scratch"))
    write_data(folder)
    write_model(folder, products / "keystep")


def execute(document: Path, prepared: Path, products: Path, port: int) -> tuple[int, int, str | None]:
    """How many blocks of `document` ran, how many were left out, and what was wrong, if anything."""
    text = document.read_text()
    script, blocks, left_out = [], 0, 0
    for block in block_form.finditer(text):
        if block["reason"]:
            left_out += 1
            continue
        line = text.count("\n", 0, block.start("commands")) + 1
        commands = block["commands"].replace("localhost:8000", f"localhost:{port}").replace(documented_model, model)
        # A shell reads one block after another, so a later one has the variables of those before it.
        script.append(f"printf '%s\\n' {line} >at\n{commands}")
        blocks += 1
    if blocks == 0:
        return 0, left_out, None
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "checkout"
        shutil.copytree(prepared, folder, symlinks=True)
        environment = os.environ | {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "ROOT": str(root), "PRODUCTS": str(products),
            "model": model,
            "teacher": "--teacher recorded --recorded-format gsm8k-solutions --recorded example_model_solutions.jsonl"}
        # What a document says of its own path would put the real programs first.
        body = "".join(script).replace("PATH=$PWD/.build/release:$PATH\n", "")
        result = subprocess.run(["bash", "-euo", "pipefail", "-c", body], cwd=folder, env=environment, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if result.returncode != 0:
            end = "\n".join("    " + line for line in result.stdout.splitlines()[-8:])
            return blocks, left_out, f"line {(folder / 'at').read_text().strip()}: status {result.returncode}\n{end}"
    return blocks, left_out, None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--products", type=Path, default=root / ".build/release")
    parser.add_argument("documents", nargs="*", type=Path)
    arguments = parser.parse_args()
    products = arguments.products.resolve()
    if not (products / "keystep").exists():
        sys.exit(f"check_commands: {products}/keystep is missing; swift build -c release makes it")
    documents = [path.resolve() for path in arguments.documents] or [
        root / "README.md", *sorted((root / "docs").glob("*.md")), *sorted((root / "experiments").glob("*/README.md"))]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Teacher)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    ran, left_out, failed = 0, 0, 0
    with tempfile.TemporaryDirectory() as prepared, ThreadPoolExecutor(os.cpu_count()) as pool:
        make_scratch(Path(prepared), products)
        executed = pool.map(lambda document: execute(document, Path(prepared), products, server.server_port), documents)
        for document, (blocks, skipped, problem) in zip(documents, executed):
            ran, left_out = ran + blocks, left_out + skipped
            if problem:
                failed += 1
                print(f"{document.relative_to(root)}: {problem}", flush=True)
    print(f"{ran} blocks of commands in {len(documents)} documents, {left_out} not executed; {failed} documents failed")
    sys.exit(failed > 0)


main()
