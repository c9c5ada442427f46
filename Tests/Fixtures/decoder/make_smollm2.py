"""What SmolLM2-135M-Instruct says of ten prompts, in fp32, by Transformers.

usage: make_smollm2.py FOLDER       (a Hugging Face folder of the model, dequantized from its GGUF to fp32)

Writes beside itself smollm2.json (prompts, ids and the seed) and smollm2.safetensors: over the N positions of all
prompts one after the other, `top1` [N], the logits at 64 vocabulary indices (`indices` [64], `logits` [N, 64]), and
each row's norm and logsumexp over the whole vocabulary (`norms`, `logsumexp` [N]). All F32.
"""
import json
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

SEED = 20240530
FOLDER = Path(__file__).resolve().parent
PROMPTS = [
    "Q: A baker sells 14 loaves in the morning and twice as many in the afternoon. How many loaves is that?\nA:",
    "Q: Is every square a rectangle?\nA: Yes, because a square has four right angles,",
    "The river rises in the hills above the town and reaches the sea after some two hundred kilometres.",
    "Task Description:\nCount the objects.\nQ:I have a flute, two drums and a piano. How many instruments do I have?\n\nA:",
    "def area(width, height):\n    \"\"\"The area of a rectangle.\"\"\"\n    return width * height\n\n\ndef perimeter(",
    "not ( True and False ) is True ; True or ( not True ) is",
    "Three friends stand in a row. Mara is left of Jon, and Jon is left of Piet. So the one in the middle is",
    "1, 1, 2, 3, 5, 8, 13, 21,",
    "Le chat dort sur la chaise, et le chien ",
    "<|im_start|>user\nName a colour of the rainbow.<|im_end|>\n<|im_start|>assistant\n",
]


def main():
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
    model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32, attn_implementation="eager").eval()
    ids = [tokenizer.encode(text, add_special_tokens=False) for text in PROMPTS]
    with torch.no_grad():
        logits = torch.cat([model(input_ids=torch.tensor([x])).logits[0] for x in ids])
    generator = torch.Generator().manual_seed(SEED)
    indices = torch.randperm(logits.shape[1], generator=generator)[:64].sort().values
    top = logits.topk(2).values
    margin = (top[:, 0] - top[:, 1]).min().item()
    assert margin > 2e-3, f"a near tie of {margin}: rounding could decide it"
    save_file({"top1": logits.argmax(1).float(), "indices": indices.float(),
               "logits": logits[:, indices].contiguous(), "norms": logits.norm(dim=1),
               "logsumexp": logits.logsumexp(1)}, FOLDER / "smollm2.safetensors")
    rows = ",\n".join("    " + json.dumps({"text": t, "ids": x}, ensure_ascii=False) for t, x in zip(PROMPTS, ids))
    (FOLDER / "smollm2.json").write_text(
        f'{{\n  "seed": {SEED},\n  "torch": "{torch.__version__}",\n  "transformers": "{transformers.__version__}",\n'
        f'  "prompts": [\n{rows}\n  ]\n}}\n')
    print(f"{len(logits)} positions, smallest margin of the top-1 {margin:.4f}")


if __name__ == "__main__":
    main()
