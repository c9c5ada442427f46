"""Make the GGUF of a Qwen2 decoder that CheckpointsTests and DecoderGoldenTests read.

Usage: python make_qwen2_gguf.py        (writes beside itself)

Made with gguf 0.19.0, transformers 5.24.0, torch 2.15.0.

  qwen2.gguf  the decoder of ../decoder/qwen2 (untied, F32, biases of query, key and value), its tensors under the names
              of gguf's own map for Qwen2 and in Hugging Face's row order, as llama.cpp's convert_hf_to_gguf.py writes them

The script reads the file back with Transformers and stops if a tensor, or a logit, is not that of ../decoder/qwen2.
"""

import os
from pathlib import Path

import gguf
import torch
from transformers import AutoModelForCausalLM

FOLDER = Path(__file__).resolve().parent
SOURCE = FOLDER.parent / "decoder" / "qwen2"
TARGET = "qwen2.gguf"

os.chdir(FOLDER)
model = AutoModelForCausalLM.from_pretrained(SOURCE, dtype=torch.float32).eval()
config = model.config

writer = gguf.GGUFWriter(TARGET, "qwen2")
writer.add_vocab_size(config.vocab_size)
writer.add_context_length(config.max_position_embeddings)
writer.add_embedding_length(config.hidden_size)
writer.add_block_count(config.num_hidden_layers)
writer.add_feed_forward_length(config.intermediate_size)
writer.add_head_count(config.num_attention_heads)
writer.add_head_count_kv(config.num_key_value_heads)
writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
writer.add_layer_norm_rms_eps(config.rms_norm_eps)
writer.add_bos_token_id(config.bos_token_id)
writer.add_eos_token_id(config.eos_token_id)

names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2, config.num_hidden_layers)
tensors = model.state_dict()
for name, tensor in tensors.items():
    stored = names.get_name(name, try_suffixes=(".weight", ".bias"))
    writer.add_tensor(stored, tensor.numpy())
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

read = AutoModelForCausalLM.from_pretrained(FOLDER, gguf_file=TARGET, dtype=torch.float32).eval()
assert read.state_dict().keys() == tensors.keys()
for name, tensor in read.state_dict().items():
    assert torch.equal(tensor, tensors[name]), name
ids = torch.arange(3, 20)[None]
with torch.no_grad():
    assert torch.equal(read(ids).logits, model(ids).logits)
