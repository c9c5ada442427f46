"""Goldens for adapters of `untied` whose projections differ in rank and alpha, or that leave layers out.

usage: make_patterns.py            (after make.py; writes beside itself; README.md there says what each file holds)

The folders are as make.py's, without bf16 and without training. Both factors of an adapter are random.
"""
import json

import torch
from make import ALL_PROJECTIONS, CASES, FOLDER, adapter_parameters, golden, make_batch, save_adapter, stream, write
from peft import LoraConfig, get_peft_model

# Of the keys that match a module the first counts; a key is matched from the start or from a dot, to the end.
PATTERNS = dict(
    r=4, lora_alpha=8, target_modules=ALL_PROJECTIONS,
    rank_pattern={r"layers\.1\.self_attn\.q_proj": 5, "q_proj": 2, "down_proj|o_proj": 3, "proj": 7, "layers.0.mlp.up_proj": 1},
    alpha_pattern={"model.layers.0.self_attn.k_proj": 5, r".*\.1\.mlp\.(gate|up)_proj": 3.5, "mlp": 100, "down_proj": 2})
ADAPTERS = {
    "lora-patterns": PATTERNS,
    "lora-patterns-rs": PATTERNS | dict(use_rslora=True),
    "lora-layer": dict(r=3, lora_alpha=6, target_modules=["q_proj", "down_proj"], layers_to_transform=1,
                       layers_pattern=["h", "layers"]),
    "lora-layers": dict(r=3, lora_alpha=6, target_modules=["v_proj", "up_proj"], layers_to_transform=[0, 5],
                        rank_pattern={"layers.0.mlp.up_proj": 2}),
}


def main():
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    batch = make_batch(stream("patterns"))
    for name, settings in ADAPTERS.items():
        base = CASES["untied"][0].from_pretrained(FOLDER / "untied", attn_implementation="eager")
        model = get_peft_model(base, LoraConfig(lora_dropout=0.0, task_type="CAUSAL_LM", **settings))
        generator = stream(name)
        with torch.no_grad():
            for parameter_name, parameter in model.named_parameters():
                if "lora_" in parameter_name:
                    parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.5 / parameter.shape[1] ** 0.5)
        folder = save_adapter(name, model.eval())
        write(folder / "golden.safetensors", golden(model, batch, adapter_parameters(model)))
        scales = {n.removeprefix("base_model.model."): [m.r["default"], m.scaling["default"]]
                  for n, m in model.named_modules() if hasattr(m, "lora_A")}
        (folder / "scales.json").write_text(json.dumps(scales, indent=1) + "\n")
        print(name, scales)


if __name__ == "__main__":
    main()
