"""Run lm-evaluation-harness against `keystep serve` and on Transformers, and compare item by item; then OpenAI's client.

usage: lm_eval_server.py KEYSTEP MODEL CHECKPOINT PAIRS.jsonl FOLDER

CHECKPOINT is MODEL as a Hugging Face folder in single precision, PAIRS.jsonl are dual pairs with prompt, chosen and rejected.
The tasks are made in FOLDER: `keystep_arithmetic` (four options after three worked examples) and `keystep_chains` (the
right chain or the wrong one) are multiple choice, `keystep_text` is a rolling log-likelihood, `keystep_answers`
generates. A log-likelihood may differ by TOLERANCE for each of its tokens: single precision in another order of sums.
Whether the greedy continuation is the option, and generated texts, must be the same; those of chats too, which the server
renders with the model's chat template and the harness with its tokenizer's.
"""
import json
import os
import random
import resource
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

TOLERANCE = 1e-4  # nats a token
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def write_lines(path: Path, lines: list[dict]) -> None:
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")


def make_tasks(pairs: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    choice = random.Random(1)
    arithmetic = []
    for _ in range(24):
        a, b, c = choice.randint(2, 40), choice.randint(2, 40), choice.randint(2, 9)
        question = f"Mia has {a} marbles. She finds {b} more and gives {c} away. How many marbles has she now?"
        right = a + b - c
        options = [right, right + c, right - 1, right + 10]
        choice.shuffle(options)
        arithmetic.append({"question": question, "options": [str(o) for o in options], "gold": options.index(right)})
    dual = [json.loads(line) for line in pairs.read_text(encoding="utf-8").splitlines()]
    # What is written in several scripts, so that characters are spread over tokens.
    texts = ["The bus to the museum leaves at nine. It is late, and the café “Größe” is already closed – naïvely so.",
             "東京の冬は寒い。雪は降らない。", "Она купила три яблока и два лимона. 🤖 Всё стоило 50 рублей.",
             "def area(r):\n    return 3.14159 * r ** 2\n\nprint(area(2))\n"]
    write_lines(folder / "arithmetic.jsonl", arithmetic)
    write_lines(folder / "chains.jsonl", [
        {"question": p["prompt"], "options": [p["chosen"], p["rejected"]][::1 - 2 * (i % 2)], "gold": i % 2}
        for i, p in enumerate(dual)])
    write_lines(folder / "text.jsonl", [{"text": t} for t in texts + [p["chosen"] for p in dual[:4]]])
    write_lines(folder / "answers.jsonl", [
        {"question": f"Question: {a['question']}\nAnswer:", "answer": a["options"][a["gold"]]} for a in arithmetic[:8]]
        + [{"question": t[:len(t) // 2], "answer": t[len(t) // 2:]} for t in texts])

    def task(name: str, kind: str, fields: dict, metrics: list[str]) -> None:
        # JSON is YAML.
        (folder / f"{name}.yaml").write_text(json.dumps({
            "task": f"keystep_{name}", "dataset_path": "json", "test_split": "test", "output_type": kind,
            "dataset_kwargs": {"data_files": {"test": str((folder / f"{name}.jsonl").resolve())}},
            "metric_list": [{"metric": metric} for metric in metrics], **fields}, indent=2))

    task("arithmetic", "multiple_choice", {
        "doc_to_text": "Question: {{question}}\nAnswer:", "doc_to_choice": "{{options}}", "doc_to_target": "gold",
        "num_fewshot": 3, "fewshot_split": "test", "fewshot_config": {"sampler": "first_n"}}, ["acc", "acc_norm"])
    task("chains", "multiple_choice", {
        "doc_to_text": "{{question}}", "doc_to_choice": "{{options}}", "doc_to_target": "gold", "target_delimiter": "\n"},
        ["acc", "acc_norm"])
    task("text", "loglikelihood_rolling", {"doc_to_text": "", "doc_to_target": "{{text}}"}, ["word_perplexity"])
    task("answers", "generate_until", {
        "doc_to_text": "{{question}}", "doc_to_target": "{{answer}}",
        "generation_kwargs": {"until": ["\n\n", "Question:"], "max_gen_toks": 48, "do_sample": False}}, ["exact_match"])


TASKS = ["keystep_arithmetic", "keystep_chains", "keystep_text", "keystep_answers"]


def lm_eval(name: str, folder: Path, model: str, arguments: str, batch: int, tasks: list[str] = TASKS,
            is_chat: bool = False) -> dict:
    """The samples of each task; `seconds` and `processor`: the harness's time, its start included."""
    output = folder / name
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run(
        [sys.executable, "-m", "lm_eval", "run", "--model", model, "--model_args", arguments, "--tasks", ",".join(tasks),
         "--include_path", str(folder / "tasks"), "--batch_size", str(batch), "--log_samples", "--output_path",
         str(output), "--device", "cpu", *(["--apply_chat_template"] if is_chat else [])],
        env={**os.environ, **OFFLINE}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if result.returncode != 0:
        sys.exit(f"lm_eval --model {model} ended with status {result.returncode}:\n{result.stdout[-6000:]}")
    found = {}
    for task in tasks:
        path, = output.rglob(f"samples_{task}_*.jsonl")
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        found[task] = sorted(lines, key=lambda sample: sample["doc_id"])
    results, = output.rglob("results_*.json")
    summary = json.loads(results.read_text(encoding="utf-8"))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    found["processor"] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    found["seconds"] = float(summary["total_evaluation_time_seconds"])
    found["results"] = {task: {key: value for key, value in values.items() if "," in key and "stderr" not in key}
                        for task, values in summary["results"].items()}
    return found


def processor_time(process: subprocess.Popen) -> float:
    import psutil

    times = psutil.Process(process.pid).cpu_times()
    return times.user + times.system


def compare(served: dict, reference: dict, tokenizer: object, name: str) -> None:
    worst, worst_token, likelihoods, texts = 0.0, 0.0, 0, 0

    def check(found: float, expected: float, text: str, place: str) -> None:
        nonlocal worst, worst_token, likelihoods
        tokens = len(tokenizer(text, add_special_tokens=False).input_ids)
        likelihoods += 1
        worst = max(worst, abs(found - expected))
        worst_token = max(worst_token, abs(found - expected) / tokens)
        if not abs(found - expected) <= TOLERANCE * tokens:
            sys.exit(f"{place}: expected a log-likelihood of {expected} within {tokens} x {TOLERANCE}, found {found}")

    for task in TASKS:
        if len(served[task]) != len(reference[task]) or not served[task]:
            sys.exit(f"{task}: {len(served[task])} samples of the server, {len(reference[task])} of Transformers")
        for ours, theirs in zip(served[task], reference[task]):
            place = f"{name}, {task}, item {ours['doc_id']}"
            if ours["arguments"] != theirs["arguments"]:
                sys.exit(f"{place}: the two were asked different things")
            arguments = [list(a.values()) for a in ours["arguments"].values()]
            for asked, a, b in zip(arguments, ours["resps"], theirs["resps"], strict=True):
                a, b = a[0], b[0]
                if task == "keystep_answers":
                    texts += 1
                    if a != b:
                        sys.exit(f"{place}: expected the text {b!r}, found {a!r}")
                elif task == "keystep_text":
                    check(float(a), float(b), asked[0], place)
                else:
                    check(float(a[0]), float(b[0]), asked[1], place)
                    if str(a[1]) != str(b[1]):
                        sys.exit(f"{place}: is the option the greedy continuation? expected {b[1]}, found {a[1]}")
    print(f"{name}: {likelihoods} log-likelihoods within {worst:.1e} nats ({worst_token:.1e} a token) of Transformers', "
          f"{texts} generated texts equal; {served['seconds']:.1f} s, Transformers {reference['seconds']:.1f} s; "
          f"processor time: server {served['server']:.1f} s, harness {served['processor']:.1f} s, with Transformers in it "
          f"{reference['processor']:.1f} s")


def compare_chats(url: str, name: str, checkpoint: str, folder: Path) -> None:
    """The generated texts of `keystep_answers` as chats, from the server and on Transformers."""
    task = TASKS[-1]
    served = lm_eval("chats", folder, "local-chat-completions",
                     f"base_url={url}/chat/completions,model={name},num_concurrent=16", 1, [task], is_chat=True)
    reference = lm_eval("chats-hf", folder, "hf", f"pretrained={checkpoint},dtype=float32", 1, [task], is_chat=True)
    for ours, theirs in zip(served[task], reference[task], strict=True):
        if ours["resps"] != theirs["resps"]:
            sys.exit(f"chats, {task}, item {ours['doc_id']}: expected {theirs['resps']}, found {ours['resps']}")
    print(f"local-chat-completions: {len(served[task])} generated texts equal to Transformers' with its chat template")


def ask_client(url: str, name: str) -> None:
    import openai

    client = openai.OpenAI(base_url=url, api_key="none", max_retries=0)
    assert [model.id for model in client.models.list()] == [name]
    assert client.models.retrieve(name).id == name
    settings = {"model": name, "max_tokens": 24, "temperature": 0}
    prompt = "The capital of France is"
    whole = client.completions.create(prompt=prompt, logprobs=2, **settings).choices[0]
    assert whole.finish_reason in ("stop", "length") and len(whole.logprobs.tokens) <= 24
    assert all(max(top.values()) == p for top, p in zip(whole.logprobs.top_logprobs, whole.logprobs.token_logprobs))
    parts = list(client.completions.create(prompt=prompt, stream=True, stream_options={"include_usage": True}, **settings))
    assert "".join(part.choices[0].text for part in parts if part.choices) == whole.text
    assert parts[-1].usage.completion_tokens == len(whole.logprobs.tokens)
    echoed = client.completions.create(prompt=prompt, echo=True, **{**settings, "max_tokens": 0}).choices[0]
    assert echoed.text == prompt
    several = client.completions.create(prompt=[prompt, "One, two,"], n=3, seed=5, **{**settings, "temperature": 0.8})
    again = client.completions.create(prompt=[prompt, "One, two,"], n=3, seed=5, **{**settings, "temperature": 0.8})
    assert [c.index for c in several.choices] == list(range(6)) and len({c.text for c in several.choices}) > 2
    assert [c.text for c in several.choices] == [c.text for c in again.choices]

    messages = [{"role": "user", "content": "Say hello to Zoë in one short sentence, with an emoji."}]
    chat = client.chat.completions.create(messages=messages, logprobs=True, top_logprobs=2, **settings)
    said = chat.choices[0].message
    assert said.role == "assistant" and said.content
    content = chat.choices[0].logprobs.content
    assert len(content) == chat.usage.completion_tokens and all(len(token.top_logprobs) == 2 for token in content)
    stream = client.chat.completions.create(messages=messages, stream=True, **settings)
    deltas = [chunk.choices[0].delta for chunk in stream]
    assert deltas[0].role == "assistant" and "".join(delta.content or "" for delta in deltas) == said.content
    for expected, call in [
        (openai.NotFoundError, lambda: client.completions.create(model="other", prompt="a")),
        (openai.BadRequestError, lambda: client.completions.create(model=name, prompt="a", max_tokens=10 ** 9)),
        (openai.BadRequestError, lambda: client.completions.create(model=name, prompt="a", best_of=4)),
        (openai.BadRequestError, lambda: client.chat.completions.create(model=name, messages=[])),
    ]:
        try:
            call()
        except expected:
            continue
        sys.exit(f"expected {expected.__name__}, found a reply")
    print(f"openai {openai.__version__}: completions, chat, streams, log-probabilities and errors; it said {said.content!r}")


def main(keystep: str, model: str, checkpoint: str, pairs: str, folder: Path) -> None:
    from transformers import AutoTokenizer

    make_tasks(Path(pairs), folder / "tasks")
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    # The checkpoint's tokenizer, so that texts get the same ids: Transformers makes another one of the GGUF file's.
    server = subprocess.Popen([keystep, "serve", "--model", model, "--tokenizer", checkpoint, "--port", "0"],
                              stdout=subprocess.PIPE, text=True)
    try:
        name, _, url = server.stdout.readline().split()
        with urllib.request.urlopen(url.removesuffix("/v1") + "/health", timeout=60) as reply:
            assert reply.status == 200
        ask_client(url, name)
        reference = lm_eval("hf", folder, "hf", f"pretrained={checkpoint},dtype=float32", batch=8)
        print(f"Transformers: {reference['results']}")
        for label, arguments, batch in [
            ("one at a time", "", 1),
            ("16 requests at once", "num_concurrent=16,", 1),
            ("4 requests of 8 at once", "num_concurrent=4,", 8),
            ("texts in place of token ids", "num_concurrent=16,tokenized_requests=False,", 1),
        ]:
            before = processor_time(server)
            served = lm_eval(
                label.replace(" ", "-"), folder, "local-completions",
                f"base_url={url}/completions,model={name},tokenizer={checkpoint},{arguments}tokenizer_backend=huggingface",
                batch)
            served["server"] = processor_time(server) - before
            compare(served, reference, tokenizer, label)
        compare_chats(url, name, checkpoint, folder)
        server.terminate()
        started = time.monotonic()
        if server.wait(timeout=60) != 0:
            sys.exit(f"the server ended with status {server.returncode}")
        print(f"the server ended {time.monotonic() - started:.1f} s after SIGTERM")
    finally:
        server.kill()


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    main(*sys.argv[1:5], Path(sys.argv[5]))
