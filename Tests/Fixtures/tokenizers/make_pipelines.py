"""Make pipelines/: normalizers and pre-tokenizers as published tokenizers have them, and the ids that the Python library
`tokenizers` gives behind each for lines.json and for pipelines/lines.json.

Usage: python make_pipelines.py        (writes beside itself; no randomness)

Made with tokenizers 0.22.2.

One vocabulary serves all: byte-level BPE that is trained on whole lines, so that its merges cross every border that a
pre-tokenizer draws, and a border out of place changes the ids.
  tokenizer.json  the vocabulary
  lines.json      lines beside ../lines.json: mixed case, marks, signs before words, runs of what is cut at
  <name>.json     normalizer, pre_tokenizer, the ids of pipelines/lines.json (own_lines) and of ../lines.json (lines;
                  null where the own lines say enough)

The patterns are those of the tokenizer.json of Mistral Nemo (tekken), Phi-4-mini (gpt-4o), Qwen3.5, DeepSeek LLM, Coder
and V3, OLMo 2, Command R, Granite 3; the names in -gguf have those of llama.cpp.
"""

import json
import os

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

HERE = os.path.dirname(os.path.abspath(__file__))
LINES = json.load(open(os.path.join(HERE, "lines.json")))
OWN_LINES = [
    "HelloWorld XMLHttpRequest iPhone McDonald's ÉCOLE école ÉcoleÉcole straßeSTRASSE ǅungla xǅ ΑΒγδ",
    "don'T YOU'LL we'Re it's 'tis O'Neill ROCK'N'ROLL l'eau 's 'S",
    "a/b //c ./d !/e !\n/f /\n\n/ x/\r\ny",
    "e\u0301e\u0301 E\u0301E\u0301 \u0301a \u0301A \u0301\u0301 a\u0301B\u0301c A\u0301\u0301 1\u0301 -\u0301x !\u0301",
    "中文A中b文 ABC中def ªºA ʰA Aʰb 가Bc",
    "#include <stdio.h> $x=1;.y(z) @a @_b ~c `d` ^e |f ?g 'h \"i {j} [k] \\l",
    "1a 12ab 1234abcd a1b22c333d4444 ½a a½ ٣٤٥٦٧ ²³ Ⅷx",
    "  a   b    c ab  ab abab  abab ab",
    " ab ab", "abab", "ab", "   ", "", "xaby", "  ab  ",
    "a,b. c; d!? (e) «f» “g” …h—i–j・。、",
    "x \n y\t\n z \r\n w  \n",
    "end   ", "a\u3000b\u3000。c ，d　 e", "カタカナひらがな漢字かな交じり ー・ ｶﾀｶﾅ 龥龦䶿ꀀ한글 ㄱ",
    "\u0007x \u200dy z\u00ad \ue000w \U0001f600q 😀😀 ™x ©2024 €5",
    "ﬁne ① ² ㌔ Å ſ ｶﾞ ㍻ ℌ ½ ﷺ …",
    "!!!@@@###$$$%%% +++ === <<<>>> ^^^ ||| ~~~ ``` $+<=>^`|~",
    "123 4567 89 0 12,345,678.90",
]

byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
with_regex = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
C = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
LLAMA3 = C + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN35 = C + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CASED = [r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
         r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"]
SIGNS = r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TEKKEN = "|".join(CASED) + r"|\p{N}" + SIGNS
GPT4O = "|".join(case + C + "?" for case in CASED) + r"|\p{N}{1,3}" + SIGNS
DEEPSEEK_LETTERS = "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\u1f7dᾀ-ᾴᾶ-ᾼ\u1fbeῂ-ῄῆ-ῌῐ-\u1fd3ῖ-\u1fdbῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ\u212a-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+"
DEEPSEEK_SIGNS = "\\s?[!-/:-~！-／：-～‘-‟　-。]+"
DEEPSEEK_UNCASED = "[一-龥ࠀ-一가-\ud7ff]+"
DEEPSEEK3 = (r"[!" + '"' + r"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^" + "\r\n" + r"\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
             r"| ?[\p{P}\p{S}]+[" + "\r\n" + r"]*|\s*[" + "\r\n" + r"]+|\s+(?!\S)|\s+")


def split(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Split(pattern, behavior=behavior, invert=invert)


def sequence(*parts):
    return pre_tokenizers.Sequence(list(parts))


def regexes(*patterns, last=()):
    return sequence(*[split(Regex(p)) for p in patterns], *last, byte_level)


digits = lambda single: pre_tokenizers.Digits(individual_digits=single)
NFC = normalizers.NFC()
BEHAVIORS = ["isolated", "removed", "contiguous", "merged_with_previous", "merged_with_next"]

# name: (normalizer, pre_tokenizer, whether ../lines.json is encoded too)
PIPELINES = {
    "tekken": (None, regexes(TEKKEN), True),
    "gpt-4o": (None, regexes(GPT4O), True),
    "qwen3.5": (None, regexes(QWEN35), True),
    "olmo-2": (None, sequence(split(Regex(LLAMA3), "removed", True), byte_level), False),
    "granite-3": (None, sequence(digits(True), with_regex), True),
    "command-r": (NFC, sequence(digits(True), with_regex), False),
    "deepseek-llm": (None, regexes("[\r\n]", DEEPSEEK_LETTERS, DEEPSEEK_SIGNS, r"\s+$", DEEPSEEK_UNCASED,
                                   last=[digits(True)]), True),
    "deepseek-llm-gguf": (None, regexes("[\r\n]", DEEPSEEK_LETTERS, DEEPSEEK_SIGNS, r"\s+$", DEEPSEEK_UNCASED, r"\p{N}+"),
                          False),
    "deepseek-coder": (None, regexes("[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", DEEPSEEK_UNCASED, last=[digits(True)]), True),
    "deepseek-v3": (None, regexes(r"\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+", DEEPSEEK3), True),
    "falcon-gguf": (None, regexes(r"[\p{P}\$\+<=>\^~\|`]+",
                                  r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
                                  "[0-9][0-9][0-9]"), False),
    "trailing-space": (None, regexes(r"\s+$"), False),
    "numbers": (None, regexes(r"\p{N}+"), False),
    "digits-contiguous": (None, sequence(digits(False), byte_level), False),
    "nfkc": (normalizers.NFKC(), with_regex, True),
    "nfd": (normalizers.Sequence([normalizers.NFD()]), with_regex, False),
    "nfkd": (normalizers.NFKD(), with_regex, False),
    "nfkc-replace": (normalizers.Sequence([normalizers.Replace("a", "ﬁ"), normalizers.NFKC(),
                                           normalizers.Replace(" ", "▁")]), split("▁", "merged_with_next"), False),
    "no-normalizers": (normalizers.Sequence([]), with_regex, False),
}
PIPELINES["nfkc-replace"] = (PIPELINES["nfkc-replace"][0], sequence(PIPELINES["nfkc-replace"][1], byte_level), False)
for behavior in BEHAVIORS:
    for invert in [False, True]:
        name = "string-" + behavior.replace("_", "-") + ("-inverted" if invert else "")
        PIPELINES[name] = (None, sequence(split("ab", behavior, invert), split(" ", behavior, invert), byte_level), False)
    PIPELINES["punctuation-" + behavior.replace("_", "-")] = (
        None, sequence(pre_tokenizers.Punctuation(behavior=behavior), byte_level), behavior == "contiguous")
for scheme in ["always", "first", "never"]:
    for cuts in [False, True]:
        PIPELINES[f"metaspace-{scheme}" + ("" if cuts else "-whole")] = (
            None, sequence(pre_tokenizers.Metaspace(replacement="▁", prepend_scheme=scheme, split=cuts), byte_level), False)


def main():
    folder = os.path.join(HERE, "pipelines")
    os.makedirs(folder, exist_ok=True)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = byte_level
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        (LINES + OWN_LINES + [line.replace(" ", "▁") for line in OWN_LINES]) * 2, trainers.BpeTrainer(
            vocab_size=1200, max_token_length=12, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    with open(f"{folder}/tokenizer.json", "w") as file:
        json.dump(json.loads(tokenizer.to_str()), file, ensure_ascii=False, separators=(",", ":"))
    with open(f"{folder}/lines.json", "w") as file:
        json.dump(OWN_LINES, file, ensure_ascii=True, indent=0)
    plain = json.loads(tokenizer.to_str())
    for name, (normalizer, pre_tokenizer, encodes_lines) in PIPELINES.items():
        part = Tokenizer.from_str(json.dumps(plain))
        if normalizer: part.normalizer = normalizer
        part.pre_tokenizer = pre_tokenizer
        content = json.loads(part.to_str())
        ids = lambda lines: [part.encode(line, add_special_tokens=False).ids for line in lines]
        with open(f"{folder}/{name}.json", "w") as file:
            json.dump({"normalizer": content["normalizer"], "pre_tokenizer": content["pre_tokenizer"],
                       "own_lines": ids(OWN_LINES), "lines": ids(LINES) if encodes_lines else None},
                      file, ensure_ascii=True, separators=(",", ":"))


if __name__ == "__main__":
    main()
