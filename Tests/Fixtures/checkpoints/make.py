"""Make the checkpoints that CheckpointsTests reads.

Usage: python make.py        (writes beside itself)

Made with gguf 0.19.0, transformers 5.23.0, torch 2.15.0, safetensors 0.8.0, numpy 2.4.6; seed 20240529.

  llama.gguf  a LLaMA decoder of two layers whose tensors take each type that is read: quantized by gguf where it can,
              random blocks with finite scales for the K types; Llama 3's rotary scaling as rope_freqs.weight
  llama/      the same decoder in Hugging Face's form, F32, in two shards: values by gguf.quants.dequantize, rows put
              in order by transformers' LlamaTensorProcessor
  qwen2/      a Qwen2 decoder, tied, BF16, as save_pretrained writes it
  mistral/    a Mistral decoder, F16, as save_pretrained writes it
  adapter/    a LoRA adapter for qwen2/, as PEFT writes it
"""

import json
import math
import os

import numpy as np
import torch
from gguf import GGMLQuantizationType as Q
from gguf import GGUFWriter
from gguf.constants import GGML_QUANT_SIZES
from gguf.quants import dequantize, quantize
from peft import LoraConfig, get_peft_model
from safetensors.numpy import save_file
from transformers import LlamaConfig, MistralConfig, MistralForCausalLM, Qwen2Config, Qwen2ForCausalLM
from transformers.modeling_gguf_pytorch_utils import LlamaTensorProcessor

here = os.path.dirname(os.path.abspath(__file__))
os.chdir(here)
SEED = 20240529
random = np.random.default_rng(SEED)

HIDDEN, HEADS, KEY_HEADS, HEAD, INTERMEDIATE, VOCABULARY, LAYERS = 256, 2, 1, 8, 8, 6, 2
THETA = 500000.0


def encoded(shape, kind):
    """The stored form of a random tensor of `shape`: what GGUFWriter takes."""
    if kind in (Q.Q4_K, Q.Q5_K, Q.Q6_K):
        block, size = GGML_QUANT_SIZES[kind]
        blocks = random.integers(0, 256, (math.prod(shape) // block, size), dtype=np.uint8)
        scales = random.uniform(-0.01, 0.01, (len(blocks), 2)).astype(np.float16).view(np.uint8)
        if kind == Q.Q6_K:
            blocks[:, 208:] = scales[:, :2]
        else:
            blocks[:, :4] = scales
        return blocks.reshape(*shape[:-1], -1)
    return quantize(random.normal(0, 0.1, shape).astype(np.float32), kind)


layer = {
    "attn_norm": ("input_layernorm", [HIDDEN], (Q.F32, Q.F32)),
    "attn_q": ("self_attn.q_proj", [HEADS * HEAD, HIDDEN], (Q.Q4_K, Q.Q5_0)),
    "attn_k": ("self_attn.k_proj", [KEY_HEADS * HEAD, HIDDEN], (Q.Q6_K, Q.F32)),
    "attn_v": ("self_attn.v_proj", [KEY_HEADS * HEAD, HIDDEN], (Q.Q5_K, Q.Q5_1)),
    "attn_output": ("self_attn.o_proj", [HIDDEN, HEADS * HEAD], (Q.F16, Q.BF16)),
    "ffn_norm": ("post_attention_layernorm", [HIDDEN], (Q.F32, Q.F32)),
    "ffn_gate": ("mlp.gate_proj", [INTERMEDIATE, HIDDEN], (Q.Q4_0, Q.Q5_K)),
    "ffn_up": ("mlp.up_proj", [INTERMEDIATE, HIDDEN], (Q.Q4_1, Q.Q4_K)),
    "ffn_down": ("mlp.down_proj", [HIDDEN, INTERMEDIATE], (Q.BF16, Q.F16)),
}
tensors = [("token_embd", "model.embed_tokens", [VOCABULARY, HIDDEN], Q.Q8_0)]
for i in range(LAYERS):
    for name, (theirs, shape, kinds) in layer.items():
        tensors.append((f"blk.{i}.{name}", f"model.layers.{i}.{theirs}", shape, kinds[i]))
tensors.append(("output_norm", "model.norm", [HIDDEN], Q.F32))
tensors.append(("output", "lm_head", [VOCABULARY, HIDDEN], Q.Q6_K))

scaling = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
           "original_max_position_embeddings": 8192}
config = LlamaConfig(
    vocab_size=VOCABULARY, hidden_size=HIDDEN, intermediate_size=INTERMEDIATE, num_hidden_layers=LAYERS,
    num_attention_heads=HEADS, num_key_value_heads=KEY_HEADS, head_dim=HEAD, rms_norm_eps=1e-5,
    max_position_embeddings=131072, rope_parameters={"rope_theta": THETA, **scaling}, bos_token_id=1, eos_token_id=[2, 3],
)

writer = GGUFWriter("llama.gguf", "llama")
writer.add_vocab_size(VOCABULARY)
writer.add_context_length(131072)
writer.add_embedding_length(HIDDEN)
writer.add_block_count(LAYERS)
writer.add_feed_forward_length(INTERMEDIATE)
writer.add_head_count(HEADS)
writer.add_head_count_kv(KEY_HEADS)
writer.add_key_length(HEAD)
writer.add_value_length(HEAD)
writer.add_rope_dimension_count(HEAD)
writer.add_rope_freq_base(THETA)
writer.add_layer_norm_rms_eps(1e-5)
writer.add_bos_token_id(1)
writer.add_eos_token_id(2)
writer.add_tokenizer_model("gpt2")
writer.add_token_list(["<unk>", "<s>", "</s>", "a", "é", "Ġb"])
writer.add_token_types([2, 3, 3, 1, 1, 1])
writer.add_token_scores([0.0, 0.0, 0.0, -1.0, -2.0, -0.5])
writer.add_add_bos_token(False)
writer.add_array("test.flags", [True, False])
writer.add_int64("test.int64", -(2**40))
writer.add_float64("test.float64", 0.1)

values = {}
processor = LlamaTensorProcessor({"num_attention_heads": HEADS, "num_key_value_heads": KEY_HEADS})
for name, theirs, shape, kind in tensors:
    data = encoded(shape, kind)
    writer.add_tensor(name + ".weight", data, raw_dtype=kind)
    plain = dequantize(data, kind).reshape(shape)
    values[theirs + ".weight"] = np.ascontiguousarray(processor.process(plain, name + ".weight").weights)

# As llama.cpp's convert_hf_to_gguf.py writes Llama 3's scaling.
factors = []
for i in range(HEAD // 2):
    wavelength = 2 * math.pi * THETA ** (2 * i / HEAD)
    kept = (8192 / wavelength - 1.0) / (4.0 - 1.0)
    factors.append(1 / ((1 - min(max(kept, 0), 1)) / 8.0 + min(max(kept, 0), 1)))
writer.add_tensor("rope_freqs.weight", np.array(factors, dtype=np.float32))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

os.makedirs("llama", exist_ok=True)
config.architectures = ["LlamaForCausalLM"]
config.save_pretrained("llama")
names = sorted(values)
shards = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
for shard, held in shards.items():
    save_file({name: values[name] for name in held}, f"llama/{shard}", metadata={"format": "pt"})
with open("llama/model.safetensors.index.json", "w") as file:
    index = {name: shard for shard, held in shards.items() for name in held}
    json.dump({"metadata": {"total_size": sum(v.nbytes for v in values.values())}, "weight_map": index}, file, indent=1)
    file.write("\n")

torch.manual_seed(SEED)
small = dict(vocab_size=6, hidden_size=8, intermediate_size=12, num_hidden_layers=1, num_attention_heads=2,
             num_key_value_heads=1, bos_token_id=1, eos_token_id=2)
qwen2 = Qwen2ForCausalLM(Qwen2Config(**small, tie_word_embeddings=True, rope_theta=1e6)).to(torch.bfloat16)
qwen2.save_pretrained("qwen2")
MistralForCausalLM(MistralConfig(**small, sliding_window=16)).to(torch.float16).save_pretrained("mistral")
adapter = get_peft_model(
    qwen2.float(),
    LoraConfig(r=2, lora_alpha=4, lora_dropout=0.05, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM",
               init_lora_weights=False))
adapter.save_pretrained("adapter")
for extra in ("qwen2/generation_config.json", "mistral/generation_config.json", "adapter/README.md"):
    if os.path.exists(extra):
        os.remove(extra)
