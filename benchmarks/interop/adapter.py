"""Load an exported adapter in PEFT and compare each token's log-probability with keystep's.

usage: adapter.py CHECKPOINT ADAPTER TOKENS.jsonl

TOKENS.jsonl is what `keystep align --model MODEL --adapter ADAPTER --json` prints. Log-probabilities that agree within
1e-4 nats on every token come of logits that agree up to a constant a row.
"""
import json
import sys
from pathlib import Path

TOLERANCE = 1e-4


def main(checkpoint: str, adapter: str, tokens: str) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)

    def log_probs(model: torch.nn.Module, prompt: list[int], response: list[int]) -> torch.Tensor:
        ids = torch.tensor([prompt + response])
        with torch.no_grad():
            logits = model(ids).logits[0, len(prompt) - 1:-1].double()
        return logits.log_softmax(-1).gather(1, ids[0, len(prompt):, None])[:, 0]

    lines = [json.loads(line) for line in Path(tokens).read_text(encoding="utf-8").splitlines()]
    chains = [(line["prompt_tokens"], line[f"{side}_tokens"], torch.tensor(line[f"{side}_log_probs"]).double())
              for line in lines for side in ["chosen", "rejected"]]
    plain = [log_probs(base, prompt, response) for prompt, response, _ in chains]
    adapted = PeftModel.from_pretrained(base, adapter).eval()
    worst, moved, count = 0.0, 0.0, 0
    for (prompt, response, found), before in zip(chains, plain):
        expected = log_probs(adapted, prompt, response)
        worst = max(worst, (found - expected).abs().max().item())
        moved = max(moved, (expected - before).abs().max().item())
        count += len(response)
    if not worst < TOLERANCE:
        sys.exit(f"log-probabilities of {count} tokens: expected within {TOLERANCE} of PEFT's, found {worst} off")
    if not moved > 10 * TOLERANCE:
        sys.exit(f"the adapter moves no log-probability by more than {moved}, so nothing was compared")
    print(f"PEFT: {count} log-probabilities within {worst:.1e} of keystep's; the adapter moved them by up to {moved:.3f}")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
