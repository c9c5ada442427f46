"""Compare what `keystep merge` writes with PEFT's merge, and run it with llama.cpp.

usage: merged.py CHECKPOINT ADAPTER FOLDER PROMPTS.jsonl CONVERTER

CHECKPOINT is the base as a Hugging Face folder, ADAPTER an adapter on it. In FOLDER lie what `keystep merge` made of
both: `merged`, a Hugging Face folder in fp32, merged-fp32.gguf, merged-fp16.gguf, merged-bf16.gguf and
merged-q8_0.gguf; and base-fp32.gguf, the base without the adapter. CONVERTER is llama.cpp's convert_lora_to_gguf.py.

The logits of the folder must be those of PEFT's merge_and_unload within 1e-3. llama.cpp must find the same likeliest
token after each prompt as PEFT, in all four GGUFs and with the converted adapter on the base.
"""
import json
import subprocess
import sys
from pathlib import Path

TOLERANCE = 1e-3


def main(checkpoint: str, adapter: str, folder: Path, prompts: str, converter: str) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    texts = [json.loads(line)["prompt"] for line in Path(prompts).read_text(encoding="utf-8").splitlines()]
    base = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)
    plain_tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    tokens = [plain_tokenizer(text)["input_ids"] for text in texts]

    def logits(model: torch.nn.Module) -> list[torch.Tensor]:
        with torch.no_grad():
            return [model(torch.tensor([ids])).logits[0] for ids in tokens]

    def tops(all_logits: list[torch.Tensor]) -> list[int]:
        return [rows[-1].argmax().item() for rows in all_logits]

    before = logits(base)
    expected = logits(PeftModel.from_pretrained(base, adapter).merge_and_unload().eval())
    found = logits(AutoModelForCausalLM.from_pretrained(folder / "merged").eval())
    worst = max((a - b).abs().max().item() for a, b in zip(found, expected))
    moved = max((a - b).abs().max().item() for a, b in zip(before, expected))
    if not worst < TOLERANCE:
        sys.exit(f"logits of the merged folder: expected within {TOLERANCE} of PEFT's, found {worst} off")
    if not moved > 10 * TOLERANCE:
        sys.exit(f"the adapter moves no logit by more than {moved}, so nothing was compared")
    count = sum(len(rows) for rows in expected)
    print(f"PEFT: logits of {count} tokens within {worst:.1e} of keystep's merge; the adapter moved them by up to "
          f"{moved:.2f}")

    tokenizer = AutoTokenizer.from_pretrained(folder / "merged")
    messages = [{"role": "user", "content": "Hello"}]
    chats = [each.apply_chat_template(messages, tokenize=False) for each in [plain_tokenizer, tokenizer]]
    if chats[0] != chats[1] or "Hello" not in chats[0]:
        sys.exit(f"chat template: expected {chats[0]!r}, found {chats[1]!r}")
    if [tokenizer(text)["input_ids"] for text in texts] != tokens:
        sys.exit("the merged folder's tokenizer gives other ids")

    import llama_cpp
    from llama_cpp import Llama

    # Weights as in the file: repacked for AMX, those of Q8_0 end the process on some processors.
    default_params = llama_cpp.llama_cpp.llama_model_default_params

    def plain_params() -> llama_cpp.llama_model_params:
        params = default_params()
        params.use_extra_bufts = False
        return params

    llama_cpp.llama_cpp.llama_model_default_params = plain_params

    def check(name: str, **model: str) -> None:
        llama = Llama(n_ctx=256, logits_all=True, verbose=False, n_threads=2, **model)
        if not model.get("lora_path") and not llama.metadata.get("tokenizer.chat_template"):
            sys.exit(f"{name}: no chat template")
        likeliest, largest = [], 0.0
        for text, ids, rows in zip(texts, tokens, expected):
            own = llama.tokenize(text.encode(), special=True)
            if own != ids:
                sys.exit(f"{name}: {text!r} has ids {own} in llama.cpp, {ids} in Transformers")
            llama.reset()
            llama.eval(own)
            theirs = torch.tensor(llama.scores[:len(own)])
            likeliest.append(theirs[-1].argmax().item())
            largest = max(largest, (theirs - rows).abs().max().item())
        if likeliest != tops(expected):
            sys.exit(f"{name}: likeliest tokens {likeliest} in llama.cpp, {tops(expected)} in PEFT")
        print(f"llama.cpp, {name}: the {len(texts)} likeliest tokens of PEFT's merge; logits within {largest:.2g}",
              flush=True)

    for dtype in ["fp32", "fp16", "bf16", "q8_0"]:
        check(f"merged-{dtype}.gguf", model_path=str(folder / f"merged-{dtype}.gguf"))
    lora = folder / "adapter.gguf"
    command = [sys.executable, converter, "--base", checkpoint, "--outtype", "f32", "--outfile", str(lora), adapter]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"{converter}: {run.stderr}")
    check("the converted adapter on base-fp32.gguf", model_path=str(folder / "base-fp32.gguf"), lora_path=str(lora))


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4], sys.argv[5])
