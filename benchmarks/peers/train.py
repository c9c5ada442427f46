"""Key-step learning and supervised fine-tuning with PyTorch, Transformers and PEFT: the peer of `keystep train`.

Prompt and response are tokenized apart and joined, the response with the end-of-sequence token. Sequences are padded
to the longest of their micro-batch, as the usual collators do; the gradients of a step's micro-batches are summed.
The loss is that of `--objective krsl` and `sft`; key tokens come from a plain dynamic programme, ahead of the steps.
One JSON line a step, with the field names of `keystep train --json`.
"""
import argparse
import json
import os
import resource
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM


def key_tokens(source: list[int], target: list[int]) -> list[bool]:
    """Which tokens of `source` the minimum edit script to `target` deletes or replaces, ties broken deletion first,
    then insertion."""
    n, m = len(source), len(target)
    cost = [[i + j if i * j == 0 else 0 for j in range(m + 1)] for i in range(n + 1)]
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            replaced = cost[i - 1][j - 1] + (source[i - 1] != target[j - 1])
            cost[i][j] = min(cost[i - 1][j] + 1, cost[i][j - 1] + 1, replaced)
    key, i, j = [False] * n, n, m
    while i > 0:
        if cost[i][j] == cost[i - 1][j] + 1:
            i -= 1
            key[i] = True
        elif j > 0 and cost[i][j] == cost[i][j - 1] + 1:
            j -= 1
        else:
            i, j = i - 1, j - 1
            key[i] = source[i] != target[j]
    return key


def sequences(pair: dict, objective: str, encode, end: int) -> list[tuple[list[int], list[int], list[float]]]:
    """(prompt, response, weight of each response token, divided by the response's length) of a pair's sequences."""
    prompt, right = encode(pair["prompt"]), encode(pair["chosen"]) + [end]
    if objective == "sft":
        return [(prompt, right, [1 / len(right)] * len(right))]
    wrong = encode(pair["rejected"]) + [end]
    alpha, beta = 1.0, -0.025
    return [(prompt, right, [alpha * key / len(right) for key in key_tokens(right, wrong)]),
            (prompt, wrong, [beta * key / len(wrong) for key in key_tokens(wrong, right)])]


def collate(batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Token ids, attention mask and weights [sequences, longest], padded on the right."""
    longest = max(len(prompt) + len(response) for prompt, response, _ in batch)
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    mask = torch.zeros(len(batch), longest, dtype=torch.long)
    weights = torch.zeros(len(batch), longest)
    for row, (prompt, response, weight) in enumerate(batch):
        length = len(prompt) + len(response)
        ids[row, :length] = torch.tensor(prompt + response)
        mask[row, :length] = 1
        weights[row, len(prompt):length] = torch.tensor(weight)
    return ids, mask, weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="a Hugging Face folder with tokenizer.json")
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--objective", choices=["krsl", "sft"], required=True)
    parser.add_argument("--tuning", choices=["lora", "full"], default="lora")
    parser.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32", help="bf16 is autocast")
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--micro-batch", type=int, help="pairs computed at once; all of the step's where left out")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--learning-rate", type=float, default=5e-6)
    parser.add_argument("--weight-decay", type=float, default=0.0)
    options = parser.parse_args()

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32)
    end = model.config.eos_token_id
    if options.tuning == "lora":
        from peft import LoraConfig, get_peft_model

        model = get_peft_model(model, LoraConfig(
            r=64, lora_alpha=32, lora_dropout=0.0, target_modules=["q_proj", "v_proj"]))
    model.train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW([
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": options.weight_decay},
        {"params": [p for p in trained if p.ndim == 1], "weight_decay": 0.0}], lr=options.learning_rate)

    tokenizer = Tokenizer.from_file(str(options.model / "tokenizer.json"))
    batch, micro = options.batch_size, options.micro_batch or options.batch_size
    with options.pairs.open(encoding="utf-8") as file:
        pairs = [json.loads(line) for _, line in zip(range(batch * options.steps), file)]
    examples = [sequences(pair, options.objective,
                          lambda text: tokenizer.encode(text, add_special_tokens=False).ids, end) for pair in pairs]
    if len(examples) < batch * options.steps:
        raise SystemExit(f"{options.pairs}: expected {batch * options.steps} pairs, found {len(examples)}")

    for step in range(options.steps):
        start = time.perf_counter()
        loss, useful = 0.0, 0
        for first in range(step * batch, (step + 1) * batch, micro):
            chosen = examples[first:min(first + micro, (step + 1) * batch)]
            ids, mask, weights = collate([sequence for example in chosen for sequence in example])
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.dtype == "bf16"):
                logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
            losses = torch.nn.functional.cross_entropy(
                logits[:, :-1].float().flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
            weights = weights[:, 1:].flatten()
            # The guard of keystep train: a rejected token that is already unlikely gets no weight.
            weights = torch.where((weights < 0) & (losses.detach() > 20), 0.0, weights)
            part = (losses * weights).sum() / batch
            part.backward()
            loss += part.item()
            useful += int(mask.sum())
        optimiser.step()
        optimiser.zero_grad()
        seconds = time.perf_counter() - start
        print(json.dumps({
            "step": step, "loss": loss, "seconds": seconds, "useful_tokens": useful,
            "useful_tokens_per_second": useful / seconds,
            "peak_rss_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}), flush=True)


if __name__ == "__main__":
    main()
