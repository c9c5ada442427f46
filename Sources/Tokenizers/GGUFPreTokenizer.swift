/// What a name in a GGUF file's `tokenizer.ggml.pre` stands for.
///
/// The patterns are those of the models' own `tokenizer.json`, from which llama.cpp's differ where
/// its engine falls short: "tekken" and "gpt-4o" there tell capitals from small letters in ASCII
/// alone. So do the normalizers, which llama.cpp does not apply.
///
/// Source: `llm_tokenizer_bpe` and `llama_vocab::impl::load` in
/// https://github.com/ggml-org/llama.cpp/blob/00ad355e009e83abf98f96a6ded7193b95763681/src/llama-vocab.cpp
struct GGUFPreTokenizer: Sendable {
  let names: [String]
  /// Text is cut at the matches of the first, the pieces at those of the second, and so on.
  let patterns: [SplitPattern]
  var normalizer: Normalizer?
  /// Whether a piece that is a token is not merged.
  var ignoresMerges = false
  /// Whether BOS is added where no key says otherwise.
  var addsBeginning = false

  static let published = [
    GGUFPreTokenizer(
      names: ["gpt-2", "phi-2", "granite-docling", "jais", "trillion"], patterns: [.gpt2]),
    GGUFPreTokenizer(names: ["mpt", "olmo"], patterns: [.gpt2], normalizer: .unicode(.c)),
    GGUFPreTokenizer(
      names: ["smollm", "starcoder", "refact", "codeshell", "minerva-7b", "mellum2"],
      patterns: [.number, .gpt2]),
    GGUFPreTokenizer(
      names: ["command-r"], patterns: [.number, .gpt2], normalizer: .unicode(.c)),
    GGUFPreTokenizer(
      names: ["llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1"], patterns: [.llama3],
      ignoresMerges: true, addsBeginning: true),
    GGUFPreTokenizer(names: ["dbrx", "smaug-bpe"], patterns: [.llama3]),
    GGUFPreTokenizer(
      names: ["qwen2", "deepseek-r1-qwen"], patterns: [.qwen2], normalizer: .unicode(.c)),
    GGUFPreTokenizer(names: ["qwen35"], patterns: [.qwen35], normalizer: .unicode(.c)),
    GGUFPreTokenizer(
      names: ["tekken"], patterns: [.tekken], ignoresMerges: true, addsBeginning: true),
    GGUFPreTokenizer(names: ["gpt-4o", "llama4"], patterns: [.gpt4o]),
    GGUFPreTokenizer(
      names: ["deepseek-llm"],
      patterns: [
        .newline, .deepSeekLetters, .deepSeekSigns, .trailingSpace, .deepSeekUncased, .numbers,
      ]),
    GGUFPreTokenizer(
      names: ["deepseek-coder"],
      patterns: [.newline, .spacedLetters, .spacedPunctuation, .deepSeekUncased, .number]),
    GGUFPreTokenizer(
      names: ["deepseek-v3"], patterns: [.numbersByThree, .deepSeekIdeographs, .deepSeek3]),
    GGUFPreTokenizer(names: ["falcon"], patterns: [.falconPunctuation, .gpt2, .threeDigits]),
  ]
}

extension GGUFVocabulary {
  /// What `pre` stands for, if that is known here.
  var publishedPreTokenizer: GGUFPreTokenizer? {
    GGUFPreTokenizer.published.first { pre.map($0.names.contains) == true }
  }
}
