"""Batched greedy decoding with llama.cpp: one token of every sequence a call, as its own batched example does.

The prompts are tokenized by the tokenizer.json of the Hugging Face folder, so that all programs decode the same ids.
No continuation ends before its last token. One JSON line with the fields of generate.py.
"""
import argparse
import json
import os
import resource
import time
from pathlib import Path

import llama_cpp
import numpy
from tokenizers import Tokenizer


class Decoding:
    """A context for `sequences` sequences of up to `length` tokens, its calls filled from lists."""

    def __init__(self, model, sequences: int, length: int):
        settings = llama_cpp.llama_context_default_params()
        settings.n_ctx = sequences * length
        settings.n_batch = settings.n_ubatch = self.capacity = max(512, sequences)
        settings.n_seq_max = sequences
        settings.n_threads = settings.n_threads_batch = len(os.sched_getaffinity(0))
        self.context = llama_cpp.llama_init_from_model(model, settings)
        if not self.context:
            raise SystemExit("llama.cpp made no context")
        self.vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
        self.batch = llama_cpp.llama_batch_init(self.capacity, 0, 1)

    def run(self, rows: list[tuple[int, int, int, bool]]) -> dict[int, int]:
        """Computes rows of (sequence, position, token, wanted); the likeliest next token of each wanted one."""
        batch = self.batch
        batch.n_tokens = len(rows)
        for index, (sequence, position, token, wanted) in enumerate(rows):
            batch.token[index], batch.pos[index], batch.logits[index] = token, position, wanted
            batch.n_seq_id[index], batch.seq_id[index][0] = 1, sequence
        status = llama_cpp.llama_decode(self.context, batch)
        if status != 0:
            raise SystemExit(f"llama_decode: expected 0, found {status}")
        likeliest = {}
        for index, (sequence, _, _, wanted) in enumerate(rows):
            if wanted:
                logits = llama_cpp.llama_get_logits_ith(self.context, index)
                likeliest[sequence] = int(numpy.ctypeslib.as_array(logits, shape=(self.vocabulary,)).argmax())
        return likeliest

    def generate(self, prompts: list[list[int]], new_tokens: int) -> list[list[int]]:
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)
        rows = [(sequence, position, token, position == len(prompt) - 1)
                for sequence, prompt in enumerate(prompts) for position, token in enumerate(prompt)]
        last: dict[int, int] = {}
        for first in range(0, len(rows), self.capacity):
            last |= self.run(rows[first:first + self.capacity])
        answers = [[last[sequence]] for sequence in range(len(prompts))]
        for step in range(new_tokens - 1):
            last = self.run([(sequence, len(prompt) + step, last[sequence], True)
                             for sequence, prompt in enumerate(prompts)])
            for sequence, answer in enumerate(answers):
                answer.append(last[sequence])
        return answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="a GGUF file")
    parser.add_argument("--tokenizer", type=Path, required=True, help="tokenizer.json")
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--new-tokens", type=int, required=True)
    parser.add_argument("--plain-weights", action="store_true", help="do not repack weights, as for AMX")
    options = parser.parse_args()

    tokenizer = Tokenizer.from_file(str(options.tokenizer))
    with options.prompts.open(encoding="utf-8") as file:
        prompts = [tokenizer.encode(json.loads(line)["prompt"], add_special_tokens=False).ids for line in file]
    llama_cpp.llama_backend_init()
    settings = llama_cpp.llama_model_default_params()
    settings.use_extra_bufts = not options.plain_weights
    model = llama_cpp.llama_model_load_from_file(str(options.model).encode(), settings)
    if not model:
        raise SystemExit(f"{options.model}: llama.cpp cannot read it")
    decoding = Decoding(model, len(prompts), max(map(len, prompts)) + options.new_tokens)
    decoding.generate(prompts, 2)
    start = time.perf_counter()
    tokens = decoding.generate(prompts, options.new_tokens)
    seconds = time.perf_counter() - start
    print(json.dumps({
        "tokens": tokens, "seconds": seconds, "new_tokens_per_second": sum(map(len, tokens)) / seconds,
        "peak_rss_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}))


if __name__ == "__main__":
    main()
