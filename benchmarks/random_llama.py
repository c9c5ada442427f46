"""Write a model of LLaMA-2-7B's shape with random weights, for measurements of memory and speed alone.

usage: random_llama.py q4_0 FILE.gguf [--layers 32]    4.5 bits a weight: 3.8 GB
       random_llama.py bf16 FOLDER [--layers 32]       config.json and model.safetensors: 13.5 GB

Shape: https://huggingface.co/meta-llama/Llama-2-7b-hf, config.json. Matrices have a standard deviation of 0.02, norms are
one. There is no tokenizer. Needs numpy.
"""
import argparse
import json
import struct
from pathlib import Path

import numpy as np

HIDDEN, WIDTH, HEADS, VOCABULARY, CONTEXT, EPSILON = 4096, 11008, 32, 32000, 4096, 1e-5
LAYER = [("input_layernorm", "attn_norm", None), ("self_attn.q_proj", "attn_q", HIDDEN),
         ("self_attn.k_proj", "attn_k", HIDDEN), ("self_attn.v_proj", "attn_v", HIDDEN),
         ("self_attn.o_proj", "attn_output", HIDDEN), ("post_attention_layernorm", "ffn_norm", None),
         ("mlp.gate_proj", "ffn_gate", WIDTH), ("mlp.up_proj", "ffn_up", WIDTH), ("mlp.down_proj", "ffn_down", HIDDEN)]


def tensors(layers: int):
    """(name in Hugging Face's form, in GGUF's, shape) of each tensor, in order."""
    yield "model.embed_tokens", "token_embd", (VOCABULARY, HIDDEN)
    for layer in range(layers):
        for long, short, rows in LAYER:
            columns = WIDTH if short == "ffn_down" else HIDDEN
            yield f"model.layers.{layer}.{long}", f"blk.{layer}.{short}", (rows, columns) if rows else (HIDDEN,)
    yield "model.norm", "output_norm", (HIDDEN,)
    yield "lm_head", "output", (VOCABULARY, HIDDEN)


def write_gguf(path: Path, layers: int, random: np.random.Generator) -> None:
    """Blocks of 32 weights (q - 8) d, q uniform in 0 ... 15 with standard deviation 4.6."""
    scale = np.float16(0.02 / 4.61)

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    keys = [("general.architecture", 8, text("llama"))]
    for key, value in [("embedding_length", HIDDEN), ("feed_forward_length", WIDTH), ("block_count", layers),
                       ("context_length", CONTEXT), ("attention.head_count", HEADS), ("attention.head_count_kv", HEADS)]:
        keys.append((f"llama.{key}", 4, struct.pack("<I", value)))
    keys.append(("llama.attention.layer_norm_rms_epsilon", 6, struct.pack("<f", EPSILON)))

    entries, offset = [], 0
    for _, name, shape in tensors(layers):
        count = int(np.prod(shape))
        size = 4 * count if len(shape) == 1 else count // 32 * 18
        entries.append((name, shape, offset, count, size))
        offset += (size + 31) // 32 * 32
    header = b"GGUF" + struct.pack("<IQQ", 3, len(entries), len(keys))
    for key, kind, value in keys:
        header += text(key) + struct.pack("<I", kind) + value
    for name, shape, start, _, _ in entries:
        header += text(name + ".weight") + struct.pack("<I", len(shape))
        header += struct.pack(f"<{len(shape)}Q", *reversed(shape))
        header += struct.pack("<IQ", 0 if len(shape) == 1 else 2, start)
    with open(path, "wb") as file:
        file.write(header + b"\0" * (-len(header) % 32))
        for _, shape, _, count, size in entries:
            if len(shape) == 1:
                data = np.ones(count, np.float32).tobytes()
            else:
                blocks = np.empty((count // 32, 18), np.uint8)
                blocks[:, :2] = np.frombuffer(scale.tobytes(), np.uint8)
                blocks[:, 2:] = random.integers(0, 256, (count // 32, 16), np.uint8)
                data = blocks.tobytes()
            file.write(data + b"\0" * (-size % 32))


def write_safetensors(folder: Path, layers: int, random: np.random.Generator) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": HIDDEN, "intermediate_size": WIDTH,
        "num_hidden_layers": layers, "num_attention_heads": HEADS, "num_key_value_heads": HEADS, "vocab_size": VOCABULARY,
        "max_position_embeddings": CONTEXT, "rms_norm_eps": EPSILON, "rope_theta": 10000.0, "hidden_act": "silu",
        "tie_word_embeddings": False, "bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16"}, indent=2))
    header, offset = {}, 0
    for name, _, shape in tensors(layers):
        size = 2 * int(np.prod(shape))
        header[name + ".weight"] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, _, shape in tensors(layers):
            values = np.ones(shape, np.float32)
            if len(shape) == 2:
                values = 0.02 * random.standard_normal(shape, np.float32)
            file.write((values.view(np.uint32) >> 16).astype(np.uint16).tobytes())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("type", choices=["q4_0", "bf16"])
    parser.add_argument("output", type=Path)
    parser.add_argument("--layers", type=int, default=32)
    arguments = parser.parse_args()
    random = np.random.default_rng(0)
    write = write_gguf if arguments.type == "q4_0" else write_safetensors
    write(arguments.output, arguments.layers, random)


main()
