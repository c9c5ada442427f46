"""Make rounding.json: numbers, and the bytes that ggml writes for them.

Usage: python make_rounding.py        (writes beside itself)

Made with the ggml of llama-cpp-python 0.3.36, through its C functions, and numpy 2.4.6; seed 20261126.

  values  the bit patterns of 32-bit floats, whole blocks of 32: powers of two, the neighbours of ties, subnormals and the
          largest finite numbers of each type, then random numbers of many magnitudes
  f16     ggml_fp32_to_fp16_row, as 16-bit patterns
  bf16    ggml_fp32_to_bf16_row_ref, as 16-bit patterns
  q8_0    quantize_row_q8_0_ref, as bytes, of the blocks whose numbers are all below 127 * 65504
"""
import ctypes
import json
from pathlib import Path

import llama_cpp
import numpy as np

folder = Path(llama_cpp.__file__).parent / "lib"
ggml = ctypes.CDLL(str(next(folder.glob("libggml-base.so*"))))
random = np.random.default_rng(20261126)

special = [0.0, -0.0, 1.0, -1.0, 65504.0, 65519.0, 65519.996, -65504.0, 2.0 ** -14, 2.0 ** -24, 2.0 ** -25, 2.0 ** -26]
for base in [1.0, 2.0 ** -14, 2.0 ** -15, 2.0 ** -20, 1024.0, 2.0 ** -24]:
    # Ties between two halves, to the even one below and above, and their neighbours.
    for step in [2.0 ** -11, 3 * 2.0 ** -11, 2.0 ** -8, 3 * 2.0 ** -8, 2.0 ** -9]:
        tie = np.float32(base * (1 + step))
        special += [tie, np.nextafter(tie, np.float32(0)), np.nextafter(tie, np.float32(1e9)), -tie]
special += [(n + 0.5) * 2.0 ** -24 for n in range(1, 12)]
# A block of Q8_0 whose scale is 1: ties of whole numbers go away from zero.
block = [127.0] + [n + 0.5 for n in range(-15, 16)]
values = np.array(special, np.float32)
values = np.concatenate([values, np.zeros(-len(values) % 32, np.float32), np.array(block, np.float32),
                         np.zeros(32, np.float32), np.full(32, 1e-42, np.float32), np.full(32, -3e-38, np.float32)])
scales = 10.0 ** random.uniform(-9, 4, (40, 1))
values = np.concatenate([values, (random.normal(0, 1, (40, 32)) * scales).clip(-65000, 65000).astype(np.float32).ravel()])
count = len(values)
assert count % 32 == 0 and np.isfinite(values).all()


def converted(function, kind, size):
    target = np.zeros(size, kind)
    getattr(ggml, function)(values.ctypes.data_as(ctypes.c_void_p), target.ctypes.data_as(ctypes.c_void_p),
                            ctypes.c_int64(count))
    return target.tolist()


golden = {
    "values": values.view(np.uint32).tolist(),
    "f16": converted("ggml_fp32_to_fp16_row", np.uint16, count),
    "bf16": converted("ggml_fp32_to_bf16_row_ref", np.uint16, count),
    "q8_0": converted("quantize_row_q8_0_ref", np.uint8, count // 32 * 34),
}
assert golden["f16"] == values.astype(np.float16).view(np.uint16).tolist()
(Path(__file__).parent / "rounding.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
