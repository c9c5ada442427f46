"""Make families/: a small tokenizer in the form of each published family, and the ids that Transformers gives.

Usage: python make_families.py        (writes beside itself; no randomness)

Made with transformers 4.57.1, tokenizers 0.22.2, sentencepiece 0.2.3, gguf 0.19.0.

The vocabularies are trained here, on text written here. Normalizers, pre-tokenizers, post-processors, decoders, special
tokens and flags are those that the families publish: the SentencePiece ones go through Transformers' own conversion
(Llama 2 and Phi-3 with legacy, Mistral without), Llama 3, Qwen2 and Mistral Nemo are assembled as in their
tokenizer.json.

Each folder holds
  tokenizer.json, tokenizer_config.json, generation_config.json
  vocabulary.gguf  the same vocabulary as llama.cpp's converter writes it, without tensors
  expected.json    for prompts and responses: the ids of tokenizer(prompt) and of tokenizer(prompt + response), and
                   whether a token ends where the prompt does
"""

import json
import os
import shutil
import tempfile

import sentencepiece
from gguf import GGUFWriter, TokenType
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, GemmaTokenizer, GemmaTokenizerFast, LlamaTokenizer, LlamaTokenizerFast

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "families")
SENTENCES = [
    "Q: Tom has 3 bags with 12 apples each. How many apples are there?",
    "A: There are 3 * 12 = 36 apples. Therefore, the answer is 36.",
    "Question: Is the sentence true or false? Answer: The sentence is false, so the answer is no.",
    "Five pens and six pens are eleven pens. Seven of them are blue, four of them are red.",
    "Let's think step by step. First, she buys 24 eggs; then she sells 18 of them, so 6 are left.",
    "user asks the assistant a question, and the assistant answers with a chain of thought.",
    "The café is naïve:\n\n1. déjà vu\n2. no answer\n",
]
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TEKKEN = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"

PLAIN = [
    ("Q: 2 + 3?\nA:", " Five pens"),
    ("Q: 2 + 3?\nA:", " Six pens"),
    ("Q: 2 + 3?\nA:", "Five pens"),
    ("Q: 2 + 3?\nA: ", "Five pens"),
    ("Q: 2 + 3?\nA:\n", "The answer is 5."),
    ("Q: 2 + 3?\nA:", "\n\nThe answer is 5.\n"),
    ("Q: 2 + 3?\n\n", " Therefore, the answer is 5"),
    ("Tom has 12", "34 apples"),
    ("Let's think step by step.", " It's 3 * 12 = 36, so the answer is 36."),
    (" a prompt that begins with a space", " and goes on"),
    ("trailing  spaces  ", "  and more"),
    ("Le café", " déjà vu 😀 漢字"),
    ("漢字", "漢字 naïve"),
    ("e\u0301te\u0301", " cafe\u0301"),
    ("x", " "),
    ("x", ""),
    ("tab\t", "\tanswer"),
]


def sentencepiece_model(path, **options):
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/text", "w") as file:
            file.write("\n".join(s.replace("\n", " ") for s in SENTENCES * 3))
        sentencepiece.SentencePieceTrainer.train(
            input=f"{folder}/text", model_prefix=f"{folder}/model", model_type="bpe", vocab_size=480,
            character_coverage=1.0, byte_fallback=True, split_digits=True, normalization_rule_name="identity",
            remove_extra_whitespaces=False, allow_whitespace_only_pieces=True, hard_vocab_limit=False,
            minloglevel=2, num_threads=1, **options)
        shutil.copy(f"{folder}/model.model", path)


def from_sentencepiece(slow, fast, specials, config, rstrip=(), **options):
    """The folder that Transformers' conversion of a SentencePiece model gives. rstrip: the special tokens that take the
    white space after them."""
    folder = tempfile.mkdtemp()
    sentencepiece_model(f"{folder}/tokenizer.model", **options)
    processor = sentencepiece.SentencePieceProcessor(model_file=f"{folder}/tokenizer.model")
    with open(f"{folder}/tokenizer_config.json", "w") as file:
        json.dump(config, file)
    tokenizer = fast.from_pretrained(folder, from_slow=True)
    if specials:
        tokenizer.add_special_tokens(
            {"additional_special_tokens": [AddedToken(s, special=True, normalized=False, rstrip=s in rstrip) for s in specials]})
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    pieces = [
        (processor.id_to_piece(i), processor.get_score(i),
         TokenType.UNKNOWN if processor.is_unknown(i) else TokenType.CONTROL if processor.is_control(i)
         else TokenType.BYTE if processor.is_byte(i) else TokenType.NORMAL)
        for i in range(len(processor))]
    pieces += [(s, -1000.0, TokenType.CONTROL) for s in specials]
    shutil.rmtree(folder)
    return content, pieces


def byte_level(pattern, specials, normalizer, post, **model):
    tokenizer = Tokenizer(models.BPE(**model))
    if normalizer: tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), behavior="isolated", invert=False),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(SENTENCES * 3, trainers.BpeTrainer(
        vocab_size=460, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    tokenizer.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in specials])
    tokenizer.post_processor = post(tokenizer)
    content = json.loads(tokenizer.to_str())
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    pieces = [(t, 0.0, TokenType.CONTROL if t in specials else TokenType.NORMAL) for t, _ in vocabulary]
    return content, pieces


def llama3_post(tokenizer):
    bos = "<|begin_of_text|>"
    return processors.Sequence([
        processors.ByteLevel(trim_offsets=True, add_prefix_space=True, use_regex=True),
        processors.TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A {bos}:1 $B:1", special_tokens=[(bos, tokenizer.token_to_id(bos))])])


def nemo_post(tokenizer):
    return processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B:1", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))])


SPM = dict(bos_token="<s>", eos_token="</s>", unk_token="<unk>")
FAMILIES = {
    "llama-2": dict(
        tokenizer=lambda c: from_sentencepiece(LlamaTokenizer, LlamaTokenizerFast, [], c),
        config=dict(tokenizer_class="LlamaTokenizer", add_bos_token=True, add_eos_token=False, legacy=True, **SPM),
        ends=["</s>"], model="llama",
        cases=[("<s>Q: 2 + 3?\nA:", " Five pens</s>"), ("[INST] Q: 2 + 3? [/INST]", " Five pens"),
               ("<s>[INST] 2 + 3? [/INST] 5 </s><s>[INST] 3 + 3? [/INST]", " Six")]),
    "mistral": dict(
        tokenizer=lambda c: from_sentencepiece(LlamaTokenizer, LlamaTokenizerFast, ["[INST]", "[/INST]"], c),
        config=dict(tokenizer_class="LlamaTokenizer", add_bos_token=True, add_eos_token=False, legacy=False, **SPM),
        ends=["</s>"], model="llama",
        cases=[("<s>[INST] Q: 2 + 3?[/INST]", " Five pens</s>"), ("[INST] Q: 2 + 3?[/INST]", "Five pens")]),
    "gemma": dict(
        tokenizer=lambda c: from_sentencepiece(
            GemmaTokenizer, GemmaTokenizerFast, ["<start_of_turn>", "<end_of_turn>"], c, pad_id=0, eos_id=1, bos_id=2,
            unk_id=3, bos_piece="<bos>", eos_piece="<eos>", add_dummy_prefix=False),
        config=dict(tokenizer_class="GemmaTokenizer", add_bos_token=True, add_eos_token=False, bos_token="<bos>",
                    eos_token="<eos>", unk_token="<unk>", pad_token="<pad>"),
        ends=["<eos>", "<end_of_turn>"], model="llama",
        cases=[("<bos><start_of_turn>user\n2 + 3?<end_of_turn>\n<start_of_turn>model\n", "Five pens<end_of_turn>\n"),
               ("<start_of_turn>user\n2 + 3?<end_of_turn>\n<start_of_turn>model\n", "Five pens")]),
    "phi-3": dict(
        tokenizer=lambda c: from_sentencepiece(
            LlamaTokenizer, LlamaTokenizerFast, ["<|endoftext|>", "<|user|>", "<|assistant|>", "<|end|>"], c,
            rstrip=["<|user|>", "<|assistant|>", "<|end|>"]),
        config=dict(tokenizer_class="LlamaTokenizer", add_bos_token=False, add_eos_token=False, legacy=True,
                    bos_token="<s>", eos_token="<|endoftext|>", unk_token="<unk>"),
        ends=["<|endoftext|>", "<|end|>"], model="llama", name="Phi-3 mini",
        cases=[("<|user|>\n2 + 3?<|end|>\n<|assistant|>\n", "Five pens<|end|>\n"), ("<|user|>  2 + 3?<|end|>", " Five")]),
    "mistral-nemo": dict(
        tokenizer=lambda c: byte_level(
            TEKKEN, ["<unk>", "<s>", "</s>", "[INST]", "[/INST]"], None, nemo_post, ignore_merges=True),
        config=dict(tokenizer_class="PreTrainedTokenizerFast", bos_token="<s>", eos_token="</s>", unk_token="<unk>"),
        ends=["</s>"], model="gpt2", pre="tekken",
        cases=[("<s>[INST]Q: 2 + 3?[/INST]", "Five pens</s>"), ("[INST]Let's goTo // the café[/INST]", "ÉtéHiver 123")]),
    "llama-3": dict(
        tokenizer=lambda c: byte_level(
            LLAMA3, ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
            None, llama3_post, ignore_merges=True),
        config=dict(tokenizer_class="PreTrainedTokenizerFast", bos_token="<|begin_of_text|>", eos_token="<|eot_id|>"),
        ends=["<|end_of_text|>", "<|eot_id|>"], model="gpt2", pre="llama-bpe",
        cases=[("<|begin_of_text|>Q: 2 + 3?\nA:", " Five pens<|eot_id|>"),
               ("<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n2 + 3?<|eot_id|>", "Five pens<|eot_id|>")]),
    "qwen2": dict(
        tokenizer=lambda c: byte_level(
            QWEN2, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], normalizers.NFC(),
            lambda t: processors.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)),
        config=dict(tokenizer_class="Qwen2Tokenizer", add_bos_token=False, add_prefix_space=False, bos_token=None,
                    eos_token="<|im_end|>", pad_token="<|endoftext|>", unk_token=None),
        ends=["<|im_end|>", "<|endoftext|>"], model="gpt2", pre="qwen2",
        cases=[("<|im_start|>user\n2 + 3?<|im_end|>\n<|im_start|>assistant\n", "Five pens<|im_end|>")]),
}


def write_gguf(path, family, content, pieces):
    ids = {piece: i for i, (piece, _, _) in enumerate(pieces)}
    config = family["config"]
    writer = GGUFWriter(path, "llama")
    if "name" in family: writer.add_name(family["name"])
    writer.add_tokenizer_model(family["model"])
    writer.add_token_list([p for p, _, _ in pieces])
    writer.add_token_types([t for _, _, t in pieces])
    if family["model"] == "gpt2":
        writer.add_tokenizer_pre(family["pre"])
        writer.add_token_merges([" ".join(m) for m in content["model"]["merges"]])
    else:
        writer.add_token_scores([s for _, s, _ in pieces])
        writer.add_unk_token_id(ids[config["unk_token"]])
    if config["bos_token"]: writer.add_bos_token_id(ids[config["bos_token"]])
    writer.add_eos_token_id(ids[config["eos_token"]])
    if config.get("add_bos_token") is not None: writer.add_add_bos_token(config["add_bos_token"])
    if config["tokenizer_class"] == "GemmaTokenizer": writer.add_add_space_prefix(False)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


for name, family in FAMILIES.items():
    folder = f"{HERE}/{name}"
    os.makedirs(folder, exist_ok=True)
    content, pieces = family["tokenizer"](family["config"])
    with open(f"{folder}/tokenizer.json", "w") as file:
        json.dump(content, file, ensure_ascii=False, separators=(",", ":"))
    with open(f"{folder}/tokenizer_config.json", "w") as file:
        json.dump(family["config"], file, indent=1)
    ids = {piece: i for i, (piece, _, _) in enumerate(pieces)}
    bos = family["config"]["bos_token"]
    with open(f"{folder}/generation_config.json", "w") as file:
        json.dump({"bos_token_id": ids[bos] if bos else None, "eos_token_id": [ids[e] for e in family["ends"]]}, file)
    write_gguf(f"{folder}/vocabulary.gguf", family, content, pieces)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert len(tokenizer) == len(pieces) <= 600, (name, len(tokenizer), len(pieces))
    cases = []
    for prompt, response in PLAIN + family["cases"]:
        first, whole = tokenizer(prompt)["input_ids"], tokenizer(prompt + response)["input_ids"]
        cases.append({"prompt": prompt, "response": response, "prompt_ids": first, "ids": whole,
                      "ends_a_token": whole[:len(first)] == first})
    assert sum(case["ends_a_token"] for case in cases) >= 12, name
    print(name, len(pieces), [c["response"] for c in cases if not c["ends_a_token"]])
    with open(f"{folder}/expected.json", "w") as file:
        json.dump(cases, file, ensure_ascii=True, indent=0)
