"""Make the GGUFs of the families' tiny decoders with llama.cpp's own converter.

Usage: python make_family_ggufs.py LLAMA_CPP        (a checkout of llama.cpp; writes into families/)

Made with the llama.cpp of llama-cpp-python 0.3.36, gguf-py of that checkout, transformers 5.24.0, torch 2.15.0.

  families/NAME.gguf  the decoder of ../decoder/NAME in F32, without a tokenizer, which the decoders do not have
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
LLAMA_CPP = Path(sys.argv[1]).resolve()
NAMES = ["biased", "gemma2", "gemma3", "granite", "olmo2", "phi3", "qwen3", "smollm3", "yarn"]

sys.path.insert(1, str(LLAMA_CPP))
sys.path.insert(1, str(LLAMA_CPP / "gguf-py"))

import gguf  # noqa: E402
from conversion import ModelBase, ModelType, get_model_class  # noqa: E402

(FOLDER / "families").mkdir(exist_ok=True)
for name in NAMES:
    source = FOLDER.parent / "decoder" / name
    hyperparameters = ModelBase.load_hparams(source, False)
    kind = get_model_class(hyperparameters["architectures"][0])
    # A bare decoder: only its special tokens are stated.
    kind = type("Bare" + kind.__name__, (kind,), {
        "set_vocab": lambda self: (self.gguf_writer.add_bos_token_id(1), self.gguf_writer.add_eos_token_id(2)),
        "model_arch": kind.model_arch,
    })
    target = FOLDER / "families" / (name + ".gguf")
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / name
        shutil.copytree(source, copy)
        # Gemma 3's converter counts the tokens.
        vocabulary = {str(i): i for i in range(hyperparameters["vocab_size"])}
        (copy / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}, "added_tokens": []}))
        kind(copy, gguf.LlamaFileType.ALL_F32, target).write()
    print(target.name)
