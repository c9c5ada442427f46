"""What Gemma-3-270M says of ten prompts, by llama.cpp.

usage: make_gemma3.py GGUF        (the file that `make student MODEL=gemma-3-270m` gets)

llama.cpp quantizes the activations of products with quantized weights, so it is given the same model with every weight
expanded to F32, and a key-value cache in F32. Writes beside itself gemma3-270m.json and gemma3-270m.safetensors: what
make_smollm2.py writes.
"""
import json
import sys
import tempfile
from pathlib import Path

import gguf
import llama_cpp
import numpy
from safetensors.numpy import save_file

import make_smollm2

SEED = 20240530
FOLDER = Path(__file__).resolve().parent
# The last one is longer than the sliding window of 512 tokens.
PROMPTS = make_smollm2.PROMPTS[:9] + [" ".join(f"{n} times {n} is {n * n}." for n in range(2, 70))]


def expand(source, target):
    """Writes the model of `source` with every tensor in F32."""
    reader = gguf.GGUFReader(source)
    architecture = reader.fields["general.architecture"].contents()
    writer = gguf.GGUFWriter(target, architecture)
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        kind = field.types[0]
        writer.add_key_value(name, field.contents(), kind,
                             field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None)
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32)
        writer.add_tensor(tensor.name, values.reshape(tensor.shape[::-1].tolist()))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    with tempfile.TemporaryDirectory() as scratch:
        path = scratch + "/model.gguf"
        expand(sys.argv[1], path)
        model = llama_cpp.Llama(path, n_ctx=2048, n_batch=2048, logits_all=True, verbose=False, n_threads=2,
                                type_k=llama_cpp.GGML_TYPE_F32, type_v=llama_cpp.GGML_TYPE_F32, flash_attn=False)
        rows, all_logits = [], []
        for text in PROMPTS:
            ids = model.tokenize(text.encode(), add_bos=True, special=False)
            model.reset()
            model.eval(ids)
            rows.append({"text": text, "ids": ids})
            all_logits.append(numpy.array(model.scores[:len(ids)], dtype=numpy.float64))
    logits = numpy.concatenate(all_logits)
    indices = numpy.sort(numpy.random.default_rng(SEED).permutation(logits.shape[1])[:64])
    top = numpy.sort(logits, axis=1)[:, -2:]
    margin = (top[:, 1] - top[:, 0]).min()
    assert margin > 2e-3, f"a near tie of {margin}: rounding could decide it"
    largest = logits.max(axis=1)
    tensors = {"top1": logits.argmax(axis=1), "indices": indices, "logits": logits[:, indices],
               "norms": numpy.linalg.norm(logits, axis=1),
               "logsumexp": largest + numpy.log(numpy.exp(logits - largest[:, None]).sum(axis=1))}
    save_file({k: numpy.ascontiguousarray(v, dtype=numpy.float32) for k, v in tensors.items()},
              FOLDER / "gemma3-270m.safetensors")
    lines = ",\n".join("    " + json.dumps(row, ensure_ascii=False) for row in rows)
    (FOLDER / "gemma3-270m.json").write_text(
        f'{{\n  "seed": {SEED},\n  "llama_cpp_python": "{llama_cpp.__version__}",\n  "prompts": [\n{lines}\n  ]\n}}\n')
    print(f"{len(logits)} positions, smallest margin of the top-1 {margin:.4f}")


main()
