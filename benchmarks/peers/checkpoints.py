"""Make the checkpoints that both programs of a comparison read.

usage: checkpoints.py huggingface FILE.gguf FOLDER   dequantized to F32, with the tokenizer
       checkpoints.py gguf FILE.gguf FILE-F32.gguf   the same weights as GGUF, for llama.cpp
       checkpoints.py bf16 FILE.gguf FILE-BF16.gguf  the same, matrices rounded to BF16
       checkpoints.py student TOKENIZER.json FOLDER  a from-scratch student of the shape of `--preset procedural`
"""
import json
import shutil
import sys
from pathlib import Path


def huggingface(source: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    read = {"pretrained_model_name_or_path": str(source.parent), "gguf_file": source.name}
    quantized = AutoModelForCausalLM.from_pretrained(**read, dtype=torch.float32)
    config = quantized.config.to_dict()
    config.pop("quantization_config", None)
    model = LlamaForCausalLM(LlamaConfig(**config))
    model.load_state_dict(quantized.state_dict())
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(**read).save_pretrained(folder)


def gguf(source: Path, target: Path, bf16: bool = False) -> None:
    from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter, LlamaFileType, dequantize, quantize

    reader = GGUFReader(source)
    writer = GGUFWriter(target, reader.fields["general.architecture"].contents())
    skipped = {"general.architecture", "general.file_type", "general.quantization_version"}
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name in skipped:
            continue
        element = field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
        writer.add_key_value(name, field.contents(), field.types[0], sub_type=element)
    writer.add_file_type(LlamaFileType.MOSTLY_BF16 if bf16 else LlamaFileType.ALL_F32)
    for tensor in reader.tensors:
        weights = dequantize(tensor.data, tensor.tensor_type)
        if bf16 and weights.ndim > 1:
            rounded = quantize(weights, GGMLQuantizationType.BF16)
            writer.add_tensor(tensor.name, rounded, raw_dtype=GGMLQuantizationType.BF16)
        else:
            writer.add_tensor(tensor.name, weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def bf16(source: Path, target: Path) -> None:
    gguf(source, target, bf16=True)


def student(tokenizer: Path, folder: Path) -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    vocabulary = json.loads(tokenizer.read_text(encoding="utf-8"))["model"]["vocab"]
    end = vocabulary["<eos>"]
    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(
        vocab_size=len(vocabulary), hidden_size=128, intermediate_size=256, num_hidden_layers=3,
        num_attention_heads=4, max_position_embeddings=512, tie_word_embeddings=True,
        bos_token_id=end, eos_token_id=end, pad_token_id=end)).save_pretrained(folder)
    shutil.copy(tokenizer, folder / "tokenizer.json")


if __name__ == "__main__":
    makers = {"huggingface": huggingface, "gguf": gguf, "bf16": bf16, "student": student}
    if len(sys.argv) != 4 or sys.argv[1] not in makers:
        sys.exit(__doc__)
    makers[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
