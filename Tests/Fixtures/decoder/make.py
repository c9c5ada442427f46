"""Goldens for the decoder, its gradients, its adapters and its optimiser: tiny random models run by Transformers.

usage: make.py            (writes beside itself; README.md there says what each file holds)

Notation: S sequences, N tokens of all of them one after the other, V vocabulary.
Every tensor is stored as F32, ids too. A sequence is run by itself, without padding, in fp32 with eager attention.
A token's weight belongs to its own prediction, from the tokens before it; a sequence's first token has weight 0.
    loss = sum over sequences of (1 / divisor) sum over tokens of weight * cross-entropy
"""
import json
import platform
import shutil
from pathlib import Path

import numpy
import peft
import safetensors
import torch
import transformers
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import (
    Gemma2Config, Gemma2ForCausalLM, Gemma3ForCausalLM, Gemma3TextConfig, GraniteConfig, GraniteForCausalLM, LlamaConfig,
    LlamaForCausalLM, MistralConfig, MistralForCausalLM, Olmo2Config, Olmo2ForCausalLM, Phi3Config, Phi3ForCausalLM,
    Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM, SmolLM3Config, SmolLM3ForCausalLM)

SEED = 20240530
FOLDER = Path(__file__).resolve().parent
SHAPE = dict(vocab_size=97, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=64, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2,
             pad_token_id=None, attn_implementation="eager")
SMALL = dict(hidden_size=24, intermediate_size=32)
LENGTHS = [11, 6, 1, 17, 2]
TRAINING = dict(lr=1e-3, betas=(0.9, 0.98), eps=1e-8, weight_decay=0.01)
CLIP = 1.0
STEPS = 5
ADAPTERS = {
    "untied": {"lora-all": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
               "lora-qv": ["q_proj", "v_proj"]},
    "phi3": {"lora-phi3": ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"]},
}


def rope(kind, **settings):
    return dict(rope_theta=10000.0, rope_type=kind, **settings)


CASES = {
    # head_dim is not hidden_size / heads here.
    "untied": (LlamaForCausalLM, LlamaConfig, dict(
        head_dim=12, tie_word_embeddings=False, rope_parameters=rope("default"))),
    "tied": (LlamaForCausalLM, LlamaConfig, dict(
        tie_word_embeddings=True, rope_parameters=rope("linear", factor=2.5))),
    # Wavelengths 6, 20, 63, 199, ... against bounds of 8 and 32: kept, blended and divided ones all occur.
    "llama3": (LlamaForCausalLM, LlamaConfig, dict(
        head_dim=16, num_key_value_heads=1, tie_word_embeddings=True,
        rope_parameters=rope("llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                             original_max_position_embeddings=32))),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config, dict(
        num_hidden_layers=3, tie_word_embeddings=False, rms_norm_eps=1e-6, rope_parameters=rope("default"))),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config, dict(
        head_dim=12, tie_word_embeddings=True, rms_norm_eps=1e-6, rope_parameters=rope("default"))),
    "biased": (LlamaForCausalLM, LlamaConfig, dict(
        attention_bias=True, mlp_bias=True, tie_word_embeddings=True, rope_parameters=rope("default"))),
    "mistral": (MistralForCausalLM, MistralConfig, dict(
        head_dim=8, num_hidden_layers=1, tie_word_embeddings=False, sliding_window=None, rope_parameters=rope("default"))),
    # Windows shorter than the longest sequence.
    "mistral-window": (MistralForCausalLM, MistralConfig, dict(
        **SMALL, tie_word_embeddings=True, sliding_window=5, rope_parameters=rope("default"))),
    "qwen2-window": (Qwen2ForCausalLM, Qwen2Config, dict(
        **SMALL, tie_word_embeddings=True, use_sliding_window=True, sliding_window=6, max_window_layers=1,
        rope_parameters=rope("default"))),
    # Frequencies of 16 original positions, kept, blended and divided.
    "yarn": (LlamaForCausalLM, LlamaConfig, dict(
        **SMALL, head_dim=16, tie_word_embeddings=True,
        rope_parameters=rope("yarn", factor=4.0, beta_fast=2.0, beta_slow=0.25, original_max_position_embeddings=16))),
    "dynamic": (LlamaForCausalLM, LlamaConfig, dict(
        **SMALL, num_hidden_layers=1, tie_word_embeddings=True, rope_parameters=rope("dynamic", factor=2.0))),
    # The second layer does not rotate.
    "smollm3": (SmolLM3ForCausalLM, SmolLM3Config, dict(
        **SMALL, no_rope_layer_interval=2, tie_word_embeddings=True, rope_parameters=rope("default"))),
    "olmo2": (Olmo2ForCausalLM, Olmo2Config, dict(
        **SMALL, tie_word_embeddings=False, rope_parameters=rope("default"))),
    "granite": (GraniteForCausalLM, GraniteConfig, dict(
        **SMALL, embedding_multiplier=3.0, attention_multiplier=0.21, residual_multiplier=0.7, logits_scaling=1.7,
        tie_word_embeddings=True, rope_parameters=rope("default"))),
    "phi3": (Phi3ForCausalLM, Phi3Config, dict(
        **SMALL, tie_word_embeddings=False, sliding_window=9, original_max_position_embeddings=64,
        rope_parameters=rope("default"))),
    # Caps near the scores and the logits.
    "gemma2": (Gemma2ForCausalLM, Gemma2Config, dict(
        **SMALL, head_dim=10, query_pre_attn_scalar=16, sliding_window=5, attn_logit_softcapping=3.0,
        final_logit_softcapping=5.0, rope_parameters=rope("default"))),
    "gemma3": (Gemma3ForCausalLM, Gemma3TextConfig, dict(
        **SMALL, num_hidden_layers=3, head_dim=10, query_pre_attn_scalar=12, sliding_window=5,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        rope_parameters=dict(full_attention=dict(rope_theta=1e6, rope_type="linear", factor=2.0),
                             sliding_attention=dict(rope_theta=1e4, rope_type="default")))),
}


def make_model(case, generator):
    """A model whose logits are not flat and whose norms and biases are not the trivial ones."""
    architecture, configuration, settings = CASES[case]
    model = architecture(configuration(**{**SHAPE, **settings})).float().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if name.endswith("norm.weight"):
                # Gemma adds the one itself.
                parameter.copy_((0 if case.startswith("gemma") else 1) + 0.2 * noise)
            elif name.endswith("bias"):
                parameter.copy_(0.3 * noise)
            else:
                parameter.copy_(noise * 0.8 / parameter.shape[1] ** 0.5)
    return model


def make_batch(generator):
    """Sequences with the weights that the objectives write: 1, 0, fractions and negative ones."""
    ids = [torch.randint(3, SHAPE["vocab_size"], (n,), generator=generator) for n in LENGTHS]
    palette = torch.tensor([1.0, 1.0, 0.0, 0.25, -0.5, -0.025])
    weights = [palette[torch.randint(0, len(palette), (n,), generator=generator)] for n in LENGTHS]
    for w in weights:
        w[0] = 0
    return ids, weights, torch.tensor([float(max(n - 2, 1)) for n in LENGTHS])


def token_losses(logits, ids):
    """[n]: the cross-entropy of each token given those before it; 0 for the first."""
    losses = torch.nn.functional.cross_entropy(logits[:-1], ids[1:], reduction="none")
    return torch.cat([torch.zeros(1, dtype=losses.dtype), losses])


def run(model, batch):
    """Logits [N, V], token losses [N] and the weighted loss of a batch."""
    ids, weights, divisors = batch
    logits = [model(input_ids=x[None]).logits[0] for x in ids]
    losses = [token_losses(l, x) for l, x in zip(logits, ids)]
    loss = sum((w * l).sum() / d for w, l, d in zip(weights, losses, divisors))
    return torch.cat(logits), torch.cat(losses), loss


def golden(model, batch, trained, autocast=False):
    """What a forward and a backward must give; `trained` names the parameters whose gradients are kept."""
    ids, weights, divisors = batch
    model.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        logits, losses, loss = run(model, batch)
    loss.backward()
    tensors = {"input_ids": torch.cat(ids).float(), "lengths": torch.tensor(LENGTHS).float(),
               "weights": torch.cat(weights), "divisors": divisors, "logits": logits, "token_losses": losses,
               "loss": loss.reshape(1)}
    for name, parameter in trained:
        assert parameter.grad.norm() > 0, name
        tensors["grad." + name] = parameter.grad
    return tensors


def train(model, batch, trained):
    """STEPS steps of AdamW with clipping over the same batch."""
    parameters = [p for _, p in trained]
    optimiser = torch.optim.AdamW(parameters, **TRAINING)
    losses, norms = [], []
    for _ in range(STEPS):
        _, _, loss = run(model, batch)
        optimiser.zero_grad()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(parameters, CLIP).reshape(1))
        losses.append(loss.reshape(1))
        optimiser.step()
    return {"losses": torch.cat(losses), "gradient_norms": torch.cat(norms),
            **{"final." + name: parameter for name, parameter in trained}}


def write(path, tensors):
    save_file({k: v.detach().float().contiguous().clone() for k, v in tensors.items()}, path)


def fresh(name):
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def save_model(case, model):
    """config.json and model.safetensors; `tied` with the rotary keys as Transformers 4 wrote them."""
    folder = fresh(case)
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    if case == "tied":
        scaling = config.pop("rope_parameters")
        config["rope_theta"] = scaling.pop("rope_theta")
        config["rope_scaling"] = {"type": scaling["rope_type"], "factor": scaling["factor"]}
        path.write_text(json.dumps(config, indent=2) + "\n")
    return folder


def greedy(model, generator):
    """Greedy continuations of prompts of several lengths; an end-of-sequence id ends one and is part of it.
    A prompt on whose way two logits nearly tie is drawn again: rounding could decide there."""
    rows, lengths = [], [1, 4, 7, 13]
    while len(rows) < len(lengths):
        n = lengths[len(rows)]
        prompt = torch.randint(3, SHAPE["vocab_size"], (1, n), generator=generator)
        out = model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=20, do_sample=False,
                             pad_token_id=0, output_logits=True, return_dict_in_generate=True)
        top = torch.cat(out.logits).topk(2).values
        if (top[:, 0] - top[:, 1]).min() > 2e-3:
            rows.append({"prompt": prompt[0].tolist(), "continuation": out.sequences[0, n:].tolist()})
    return rows


def key_tokens(a, b):
    """True for each token of `a` that the minimum edit script from `a` to `b` deletes or replaces:
    the plain dynamic programme, ties deletion, then insertion, then diagonal."""
    n, m = len(a), len(b)
    d = [[i + j if i * j == 0 else 0 for j in range(m + 1)] for i in range(n + 1)]
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            d[i][j] = min(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1]))
    key, i, j = [False] * n, n, m
    while i > 0 or j > 0:
        if i > 0 and d[i][j] == d[i - 1][j] + 1:
            key[i - 1] = True
            i -= 1
        elif j > 0 and d[i][j] == d[i][j - 1] + 1:
            j -= 1
        else:
            key[i - 1] = a[i - 1] != b[j - 1]
            i, j = i - 1, j - 1
    return key


def dual(model, generator, alpha, beta, gamma):
    """A dual pair as two whole sequences, with the key-step weights of its responses and its loss."""
    prompt = torch.randint(3, SHAPE["vocab_size"], (7,), generator=generator).tolist()
    right = torch.randint(3, SHAPE["vocab_size"], (14,), generator=generator).tolist() + [2]
    wrong = right[:4] + [5, 9] + right[5:9] + right[11:13] + [right[4], right[13], 2]
    tensors = {"prompt": prompt, "settings": [alpha, beta, gamma]}
    total = 0
    for side, response, other in [("right", right, wrong), ("wrong", wrong, right)]:
        keys = key_tokens(response, other)
        weights = [(alpha if k else gamma) if side == "right" else (beta if k else 0.0) for k in keys]
        ids = torch.tensor(prompt + response)
        losses = token_losses(model(input_ids=ids[None]).logits[0], ids)[len(prompt):]
        loss = (torch.tensor(weights) * losses).sum() / len(response)
        total = total + loss
        tensors |= {side: response, f"{side}_key": [i for i, k in enumerate(keys) if k], f"{side}_weights": weights,
                    f"{side}_token_losses": losses, f"{side}_loss": loss.reshape(1)}
    model.zero_grad()
    total.backward()
    tensors["loss"] = total.reshape(1)
    tensors |= {"grad." + name: p.grad for name, p in model.named_parameters()}
    return {k: torch.as_tensor(v, dtype=torch.float32) for k, v in tensors.items()}


def adapted(base, targets, generator):
    """`base` with an adapter whose two factors are both random."""
    model = get_peft_model(base, LoraConfig(r=4, lora_alpha=8, lora_dropout=0.0, target_modules=targets,
                                            task_type="CAUSAL_LM"))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.5 / parameter.shape[1] ** 0.5)
    return model.eval()


def adapter_parameters(model):
    """The adapter's parameters by the names that PEFT gives them in adapter_model.safetensors."""
    named = [(n.replace(".default.", "."), p) for n, p in model.named_parameters() if p.requires_grad]
    assert {n for n, _ in named} == set(get_peft_model_state_dict(model))
    return named


def save_adapter(name, model, case):
    """adapter_config.json (its targets in alphabetical order: PEFT keeps a set) and adapter_model.safetensors."""
    folder = fresh(name)
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text())
    config["target_modules"].sort()
    config["base_model_name_or_path"] = f"../{case}"
    path.write_text(json.dumps(config, indent=2) + "\n")
    return folder


def stream(name):
    """Random numbers of their own for each file, so that adding a case leaves the others as they are."""
    return torch.Generator().manual_seed(SEED + sum(ord(c) * 31 ** i for i, c in enumerate(name)) % 2**31)



def main():
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    continuations = {}
    for case in CASES:
        generator = stream(case)
        model = make_model(case, generator)
        batch = make_batch(generator)
        folder = save_model(case, model)
        again = CASES[case][0].from_pretrained(folder, attn_implementation="eager").eval()
        tensors = golden(model, batch, list(model.named_parameters()))
        difference = (run(again, batch)[0] - tensors["logits"]).abs().max()
        assert difference < 1e-5, f"{case}: the saved model differs by {difference}"
        write(folder / "golden.safetensors", tensors)
        write(folder / "golden-bf16.safetensors", golden(model, batch, list(model.named_parameters()), autocast=True))
        continuations[case] = greedy(model, generator)
        exact, _, exact_loss = run(again.double(), batch)
        error = (tensors["logits"] - exact).norm() / exact.norm()
        print(f"{case}: loss {tensors['loss'].item():.6f} (fp64 {exact_loss.item():.6f}), logits sd "
              f"{tensors['logits'].std():.2f}, fp32 against fp64 {error:.1e}")

        if case == "tied":
            write(FOLDER / "dual.safetensors", dual(model, stream("dual"), alpha=1.0, beta=-0.5, gamma=0.125))
        for name, targets in ADAPTERS.get(case, {}).items():
            base = CASES[case][0].from_pretrained(folder, attn_implementation="eager")
            wrapped = adapted(base, targets, stream(name))
            adapter = save_adapter(name, wrapped, case)
            trained = adapter_parameters(wrapped)
            write(adapter / "golden.safetensors", golden(wrapped, batch, trained))
            write(adapter / "golden-bf16.safetensors", golden(wrapped, batch, trained, autocast=True))
            write(adapter / "training.safetensors", train(wrapped, batch, trained))
        if case == "untied":
            write(folder / "training.safetensors", train(model, batch, list(model.named_parameters())))

    lines = [f'  "{case}": [\n' + ",\n".join("    " + json.dumps(row) for row in rows) + "\n  ]"
             for case, rows in continuations.items()]
    (FOLDER / "greedy.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"seed {SEED}; Python {platform.python_version()}, torch {torch.__version__}, transformers "
          f"{transformers.__version__}, peft {peft.__version__}, safetensors {safetensors.__version__}, "
          f"numpy {numpy.__version__}")


if __name__ == "__main__":
    main()
