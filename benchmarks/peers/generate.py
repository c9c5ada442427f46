"""Batched greedy decoding with Transformers' generate, padded on the left: the peer of keystep's decoding.

No continuation ends before its last token. One JSON line: the new tokens of each prompt, the seconds of the second of
two calls (the first is a warm-up of two tokens) and the peak memory.
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="a Hugging Face folder with tokenizer.json")
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--new-tokens", type=int, required=True)
    parser.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32")
    options = parser.parse_args()

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[options.dtype]
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=dtype).eval()
    end = model.config.eos_token_id
    tokenizer = Tokenizer.from_file(str(options.model / "tokenizer.json"))
    with options.prompts.open(encoding="utf-8") as file:
        prompts = [tokenizer.encode(json.loads(line)["prompt"], add_special_tokens=False).ids for line in file]
    longest = max(map(len, prompts))
    ids = torch.tensor([[end] * (longest - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    call = {"input_ids": ids, "attention_mask": mask, "do_sample": False, "pad_token_id": end}
    model.generation_config.eos_token_id = None
    model.generate(**call, max_new_tokens=2)
    start = time.perf_counter()
    answers = model.generate(**call, max_new_tokens=options.new_tokens)
    seconds = time.perf_counter() - start
    tokens = [answer[longest:].tolist() for answer in answers]
    print(json.dumps({
        "tokens": tokens, "seconds": seconds, "new_tokens_per_second": sum(map(len, tokens)) / seconds,
        "peak_rss_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}))


if __name__ == "__main__":
    main()
