"""Make the tokenizer fixtures: small vocabularies with the parts of published tokenizers, and the ids that the
Python library `tokenizers` gives for the lines of a text that mixes what is hard.

usage: python make.py        (writes beside itself; made with tokenizers 0.23.3, no randomness)

The vocabularies are trained here, on text written here; normalizers, pre-tokenizers, decoders and post-processors are
those which the named models publish in their tokenizer.json.
"""
import json
import os

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = os.path.dirname(os.path.abspath(__file__))
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"

SENTENCES = [
    "The teacher answers every question with a chain of thought.",
    "Tom has 12 apples and buys 30 more, so he has 12 + 30 = 42 apples.",
    "Therefore, the answer is 42. It's what we'd expect; they've said they'll check, and I'm sure you're right.",
    "A train leaves at 9:15 and travels 60 miles an hour for 2.5 hours: 60 * 2.5 = 150 miles.",
    "If x # y is the smaller of x and y, then 3 # 5 = 3, and 3 @ 5 = 5.",
    "def step(state, action):\n    return state + action  # one step\n",
    "Учитель отвечает на каждый вопрос цепочкой рассуждений, а ученик учится на ошибках.",
    "Ο δάσκαλος απαντά σε κάθε ερώτηση με μια αλυσίδα σκέψης.",
    "المعلم يجيب عن كل سؤال بسلسلة من الأفكار.",
    "המורה עונה על כל שאלה בשרשרת מחשבה.",
    "शिक्षक हर प्रश्न का उत्तर विचारों की शृंखला से देता है।",
    "ครูตอบทุกคำถามด้วยลำดับความคิด",
    "老师用一连串的思考回答每一个问题。学生从错误中学习。",
    "先生はすべての質問に考えの連鎖で答えます。",
    "선생님은 모든 질문에 생각의 사슬로 대답합니다.",
    "L'élève naïf apprend où le maître s'est trompé; à côté, l'œuvre garde ses façons.",
    "Der Schüler prüft jeden Schritt, größer als die Lösung; Übung macht Spaß.",
    "El niño aprendió la lección. ¿Qué pasó después? ¡Nada!",
    "Emoji: 😀 👍 🎉 and hearts ❤️ for everyone.",
    "    four spaces\n\tone tab\n        eight spaces\n",
]

LINES = [
    "",
    " ",
    "Hello, world!",
    "The answer is 42.",
    " The answer is  42.",
    "  two spaces,   three,    four     five      six",
    "trailing spaces    ",
    "1 12 123 1234 12345 1234567890 3.14159 1,000,000 ½ ² Ⅷ ٣٤ १२ 一二三 ①②",
    "x=1;y=2 <<48/2=24>>24 $5.00 50% #### 72",
    "I'm you're he's she'd we'll they've don't I'M YOU'RE HE'S SHE'D WE'LL THEY'VE DON'T 'sound 'Tis 'll'",
    "It'ſ a long s, 'Re 'rE 'vE 'Ll '''s ''s 's's",
    "naïve café résumé œuvre Straße ÅNGSTRÖM ﬁ ﬂ ǅ",
    "nai\u0308ve cafe\u0301 re\u0301sume\u0301 A\u030angstro\u0308m \u0301lone \u0308 \u0301\u0301x",
    "Привет, мир! Учитель и ученик. ЁЖ ёж й и\u0306",
    "Γειά σου Κόσμε! ᾳ ὦ άΐ \u03b1\u0301",
    "مرحبا بالعالم، كيف الحال؟ مُدَرِّس",
    "שלום עולם! שָׁלוֹם",
    "नमस्ते दुनिया! क्षत्रिय हिन्दी ज़",
    "สวัสดีชาวโลก น้ำ ที่",
    "你好,世界!「思考」 漢字 𠀀𪚥 ㌔ 神 豈",
    "こんにちは世界 カタカナ ハンカク が か\u3099",
    "안녕하세요 세계 \u1112\u1161\u11ab\u1100\u116e\u11a8",
    "😀 👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇫🇷🇩🇪 ❤️ 1️⃣ 👨🏿‍🚀x",
    "a\tb\t\tc \t d\t",
    "line\nline\n\nline\n\n\nline \n line\n  line\n",
    "dos\r\nline\r\n\r\nend\r mac\r\r",
    "a\u00a0b\u2003c\u3000d\u2028e\u2029f\u0085g\u202fh\u1680i \u00a0 j\u200bk\ufeffl\u2060m",
    "\u0000\u0001\u0007\u0008\u000b\u000c\u001b[0m\u001f\u007f\u0080\u009f end",
    "tail\u200d\u200c \u202eright-to-left\u202c \ufffd \ue000 \U000f0000 \U0010ffff",
    "!!! ??? ... --- === *** ((())) [[]] {}\n}\n ;\r\n !\n\n",
    "snake_case camelCase kebab-case a/b\\c http://example.org/?q=1&r=2#frag user@example.org",
    "    indented:\n        more\n\tif (x == 1) { y += 2; } // done\n",
    "<|endoftext|>", "a<|im_start|>user\nHi<|im_end|>\n", "<|im_end|><|im_end|> <|im_start|", "x <s> y </s>z <unk>",
    "[SEP]a [SEP] b", "  strip  me [LEFT]  and   [RIGHT]   here [BOTH]  x", "word aword wordb a word. (word) wordword é word́",
    "cafe\u0301tok café tok normtok café norm tok",
    "▁ ▁▁ a▁b ▁a  ▁ b▁▁ c",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "thethethethethethe answeranswer pneumonoultramicroscopicsilicovolcanoconiosis supercalifragilistic",
    "Q: Tom has 3 bags with 12 apples each. How many apples?\nA: 3 * 12 = 36 apples. Therefore, the answer is 36.",
    "  \n  \n x", "\n", "\t", "\r\n", " \n", "\n ", "  a", "a  ", "   \u00a0\u00a0  a", "\u3000\u3000あ",
    "ŀ ꙮ ⁊ ʰ ª º ᵃ µ K Å ℵ ﷽ \u0483 \u20dd \u0e33 \u0f71",
]


def special(*contents):
    return [AddedToken(c, special=True, normalized=False) for c in contents]


def byte_level(pre_tokenizer, specials, normalizer=None, post=None, size=1000, **model):
    tokenizer = Tokenizer(models.BPE(**model))
    if normalizer: tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
        special_tokens=[AddedToken(s, special=True, normalized=False) for s in specials])
    tokenizer.train_from_iterator(SENTENCES * 3, trainer)
    if post: tokenizer.post_processor = post(tokenizer)
    return tokenizer


def sentencepiece(normalizer, pre_tokenizer, decoder):
    """As the converted Llama 2 tokenizer: merges made anew from the vocabulary, every split of every token, by score."""
    marked = [s.replace(" ", "▁") for s in SENTENCES]
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.Metaspace()
    learner.train_from_iterator(
        SENTENCES * 3,
        trainers.BpeTrainer(vocab_size=900, show_progress=False, limit_alphabet=300,
                            initial_alphabet=["▁"] + [chr(c) for c in range(33, 127)]))
    learned = json.loads(learner.to_str())["model"]
    pieces = ["▁▁", "▁▁▁▁", "▁▁▁▁▁▁▁▁"]
    for a, b in learned["merges"]:
        if a + b not in pieces: pieces.append(a + b)
    letters = sorted((t for t in learned["vocab"] if len(t) == 1), key=lambda t: learned["vocab"][t])
    vocab = {"<unk>": 0, "<s>": 1, "</s>": 2}
    for byte in range(256): vocab[f"<0x{byte:02X}>"] = len(vocab)
    score = {}
    for piece in pieces + letters:
        score[piece] = -float(len(score))
        vocab[piece] = len(vocab)
    merges = []
    for piece in pieces:
        ways = [(piece[:i], piece[i:]) for i in range(1, len(piece)) if piece[:i] in score and piece[i:] in score]
        merges += sorted(ways, key=lambda way: (vocab[way[0]], vocab[way[1]]))
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    if normalizer: tokenizer.normalizer = normalizer
    if pre_tokenizer: tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoder
    tokenizer.add_special_tokens(special("<unk>", "<s>", "</s>"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    return tokenizer


def word_level(pre_tokenizer):
    words = sorted({w for s in SENTENCES[:5] for w, _ in pre_tokenizer.pre_tokenize_str(s)})
    vocab = {w: i for i, w in enumerate(["<pad>", "<unk>", "<s>", "</s>"] + words)}
    tokenizer = Tokenizer(models.WordLevel(vocab=vocab, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.add_special_tokens(special("<pad>", "<unk>", "<s>", "</s>"))
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 3)])
    return tokenizer


def with_added(tokenizer):
    """Added tokens of every kind."""
    tokenizer.add_tokens([
        AddedToken("[SEP]", normalized=False), AddedToken("[LEFT]", lstrip=True, normalized=False),
        AddedToken("[RIGHT]", rstrip=True, normalized=False),
        AddedToken("[BOTH]", lstrip=True, rstrip=True, normalized=False),
        AddedToken("word", single_word=True, normalized=False), AddedToken("café", normalized=True),
        AddedToken("norm tok", normalized=True), AddedToken("é", single_word=True)])
    return tokenizer


BL = pre_tokenizers.ByteLevel
split = lambda regex: pre_tokenizers.Sequence(
    [pre_tokenizers.Split(Regex(regex), behavior="isolated", invert=False), BL(add_prefix_space=False, use_regex=False)])
llama_decoder = decoders.Sequence(
    [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(content=" ", left=1)])

TOKENIZERS = {
    "gpt2": byte_level(BL(add_prefix_space=False), ["<|endoftext|>"], post=lambda t: processors.ByteLevel()),
    "smollm2": byte_level(
        pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), BL(add_prefix_space=False)]),
        ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]),
    "llama3": byte_level(
        split(LLAMA3), ["<|begin_of_text|>", "<|end_of_text|>"], ignore_merges=True,
        post=lambda t: processors.Sequence([
            processors.ByteLevel(),
            processors.TemplateProcessing(
                single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", t.token_to_id("<|begin_of_text|>"))])])),
    "qwen2": byte_level(split(QWEN2), ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], normalizer=normalizers.NFC()),
    "prefixed": with_added(byte_level(
        pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=False), BL(add_prefix_space=True)]),
        ["<s>", "</s>"], normalizer=normalizers.NFC(), size=600)),
    "llama2": sentencepiece(
        normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]), None, llama_decoder),
    "mistral": with_added(sentencepiece(
        None, pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=False), llama_decoder)),
    "metaspace": sentencepiece(
        None, pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True),
        decoders.Metaspace(replacement="▁", prepend_scheme="always")),
    "words": word_level(pre_tokenizers.WhitespaceSplit()),
    "words-and-symbols": word_level(pre_tokenizers.Whitespace()),
}

# ignore_merges acts where a token is no result of merges.
llama3 = json.loads(TOKENIZERS["llama3"].to_str())
llama3["model"]["vocab"]["Ġsupercalifragilistic"] = len(llama3["model"]["vocab"])
TOKENIZERS["llama3"] = Tokenizer.from_str(json.dumps(llama3))

# Unknown characters without a fallback: fused, and not; a fallback that lacks bytes.
for name, fused in [("unknown-fused", True), ("unknown-single", False)]:
    plain = json.loads(TOKENIZERS["llama2"].to_str())
    plain["model"]["fuse_unk"] = fused
    plain["model"]["byte_fallback"] = not fused
    plain["model"]["vocab"] = {
        t: i for t, i in plain["model"]["vocab"].items() if not (t.startswith("<0x") and (fused or int(t[3:5], 16) > 0xE5))}
    TOKENIZERS[name] = Tokenizer.from_str(json.dumps(plain))

os.chdir(HERE)
with open("lines.json", "w") as file:
    json.dump(LINES, file, ensure_ascii=True, indent=0)
for name, tokenizer in TOKENIZERS.items():
    content = json.loads(tokenizer.to_str())
    if name in ("gpt2", "llama2"):  # the older way to write merges
        content["model"]["merges"] = [" ".join(pair) for pair in content["model"]["merges"]]
    os.makedirs(name, exist_ok=True)
    with open(f"{name}/tokenizer.json", "w") as file:
        json.dump(content, file, ensure_ascii=name == "qwen2", separators=(",", ":"))
    cases = []
    for line in LINES:
        ids = tokenizer.encode(line, add_special_tokens=False).ids
        cases.append({
            "ids": ids,
            "with_special": tokenizer.encode(line).ids,
            "text": tokenizer.decode(ids, skip_special_tokens=False),
            "text_without_special": tokenizer.decode(ids, skip_special_tokens=True),
        })
    # Decoding what no text encodes to: every token by itself is not UTF-8 everywhere.
    count = tokenizer.get_vocab_size()
    strays = [list(range(i, count, 37)) for i in range(0, 37, 6)]
    with open(f"{name}/expected.json", "w") as file:
        json.dump(
            {"lines": cases, "strays": [{"ids": ids, "text": tokenizer.decode(ids, skip_special_tokens=False)} for ids in strays]},
            file, ensure_ascii=True, separators=(",", ":"))
