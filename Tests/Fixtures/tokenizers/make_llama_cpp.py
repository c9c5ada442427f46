"""Make llama-cpp/: llama.cpp's own test vectors for vocabularies, each with the part of the vocabulary that they need.

Usage: python make_llama_cpp.py LLAMA_CPP        (a copy of https://github.com/ggml-org/llama.cpp; writes beside itself)

Made with gguf 0.19.0 from the llama.cpp in llama-cpp-python 0.3.36: models/ggml-vocab-NAME.gguf and its .inp and .out.
The vocabularies are those of Falcon 7B, MPT 7B (Apache 2.0) and Phi-3 mini (MIT).

A token is kept if it is a byte, is special, or is written in one of the texts; a merge, if it makes a token that is
kept. Whatever merges in the texts with the whole vocabulary merges with this part. Ids are counted anew, in their order.
  NAME.gguf  the vocabulary, with the keys of the original
  NAME.json  the texts and their ids
"""

import json
import os
import sys

from gguf import GGUFReader, GGUFWriter, TokenType

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "llama-cpp")
KEYS = ["general.name", "tokenizer.ggml.model", "tokenizer.ggml.pre", "tokenizer.ggml.add_bos_token",
        "tokenizer.ggml.add_eos_token", "tokenizer.ggml.add_space_prefix"]
ID_KEYS = [f"tokenizer.ggml.{kind}_token_id" for kind in ["bos", "eos", "unknown", "padding"]]
printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
ALPHABET = {b: chr(b) for b in printable} | {
    b: chr(256 + i) for i, b in enumerate(b for b in range(256) if b not in printable)}


def reduce(models, name):
    reader = GGUFReader(f"{models}/ggml-vocab-{name}.gguf")
    value = lambda key: reader.fields[key].contents() if key in reader.fields else None
    with open(f"{models}/ggml-vocab-{name}.gguf.inp", newline="") as file:
        texts = file.read().split("\n__ggml_vocab_test__\n")
    with open(f"{models}/ggml-vocab-{name}.gguf.out") as file:
        expected = [[int(i) for i in line.split()] for line in file.read().split("\n")][:len(texts)]
    assert len(texts) == len(expected)
    tokens, types = value("tokenizer.ggml.tokens"), value("tokenizer.ggml.token_type")
    is_byte_level = value("tokenizer.ggml.model") == "gpt2"
    write = lambda text: ("".join(ALPHABET[b] for b in text.encode()) if is_byte_level else "▁" + text.replace(" ", "▁"))
    written = "\0".join(write(text) for text in texts)
    plain, always = "\0".join(texts), (TokenType.CONTROL, TokenType.BYTE, TokenType.UNKNOWN)
    kept = [i for i, token in enumerate(tokens)
            if token in written or token in ALPHABET.values() or types[i] in always
            or types[i] == TokenType.USER_DEFINED and token in plain]
    new = {old: i for i, old in enumerate(kept)}
    content = {tokens[i] for i in kept}
    writer = GGUFWriter(f"{FOLDER}/{name}.gguf", "llama")
    for key in KEYS:
        found = value(key)
        if isinstance(found, bool): writer.add_bool(key, found)
        elif found is not None: writer.add_string(key, found)
    for key in ID_KEYS:
        if value(key) is not None and value(key) in new: writer.add_uint32(key, new[value(key)])
    writer.add_array("tokenizer.ggml.tokens", [tokens[i] for i in kept])
    writer.add_array("tokenizer.ggml.token_type", [int(types[i]) for i in kept])
    if is_byte_level:
        merges = [m for m in value("tokenizer.ggml.merges")
                  if m.replace(" ", "") in content and all(part in content for part in m.split(" "))]
        writer.add_array("tokenizer.ggml.merges", merges)
    else:
        scores = value("tokenizer.ggml.scores")
        writer.add_array("tokenizer.ggml.scores", [float(scores[i]) for i in kept])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with open(f"{FOLDER}/{name}.json", "w") as file:
        json.dump({"texts": texts, "ids": [[new[i] for i in ids] for ids in expected]}, file, ensure_ascii=True)
    print(name, len(kept), value("tokenizer.ggml.pre"), value("general.name"))


if __name__ == "__main__":
    os.makedirs(FOLDER, exist_ok=True)
    for name in ["falcon", "mpt", "phi-3"]: reduce(f"{sys.argv[1]}/models", name)
