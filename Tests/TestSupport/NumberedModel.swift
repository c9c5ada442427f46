import Foundation

/// A copy of the fixture `decoder/tied` in a new folder under `folder`, with a tokenizer whose
/// words are the ids 3 to 96 as numbers, so that tests can write tokens as text.
///
/// Id 0 is what is no such word, 2 the end of sequence.
package func numberedModel(in folder: String) throws -> String {
  let path = "\(folder)/model-\(UUID().uuidString)"
  try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  for file in ["config.json", "model.safetensors"] {
    try FileManager.default.copyItem(
      atPath: fixture("decoder/tied/\(file)").path, toPath: "\(path)/\(file)")
  }
  var vocabulary = ["<unk>": 0, "<s>": 1, "</s>": 2]
  for id in 3..<97 { vocabulary["\(id)"] = id }
  let special = ["<unk>", "<s>", "</s>"].enumerated().map { id, content -> [String: Any] in
    [
      "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
      "normalized": false, "special": true,
    ]
  }
  let tokenizer: [String: Any] = [
    "version": "1.0", "added_tokens": special, "pre_tokenizer": ["type": "WhitespaceSplit"],
    "model": ["type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>"],
  ]
  try JSONSerialization.data(withJSONObject: tokenizer, options: .sortedKeys)
    .write(to: URL(fileURLWithPath: path + "/tokenizer.json"))
  return path
}
