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

/// Splits the `model.safetensors` in `folder` into two shards with an index, as `save_pretrained` does for
/// a model that is larger than its shards may be.
package func splitIntoShards(_ folder: String) throws {
  let file = URL(fileURLWithPath: folder + "/model.safetensors")
  let data = try Data(contentsOf: file)
  let length = data.prefix(8).enumerated().reduce(0) { $0 + Int($1.element) << (8 * $1.offset) }
  let header = try JSONSerialization.jsonObject(with: data[8..<(8 + length)]) as? [String: Any]
  let names = (header ?? [:]).keys.filter { $0 != "__metadata__" }.sorted()
  var map: [String: String] = [:]
  for shard in 0..<2 {
    let name = "model-0000\(shard + 1)-of-00002.safetensors"
    var (entries, values) = (["__metadata__": ["format": "pt"]] as [String: Any], Data())
    for tensor in names.indices where tensor % 2 == shard {
      guard var entry = header?[names[tensor]] as? [String: Any],
        let range = entry["data_offsets"] as? [Int]
      else { continue }
      let start = values.count
      values += data[(8 + length + range[0])..<(8 + length + range[1])]
      entry["data_offsets"] = [start, values.count]
      entries[names[tensor]] = entry
      map[names[tensor]] = name
    }
    let json = try JSONSerialization.data(withJSONObject: entries, options: .sortedKeys)
    let count = withUnsafeBytes(of: UInt64(json.count).littleEndian) { Data($0) }
    try (count + json + values).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
  }
  try JSONSerialization.data(withJSONObject: ["weight_map": map], options: .sortedKeys)
    .write(to: URL(fileURLWithPath: folder + "/model.safetensors.index.json"))
  try FileManager.default.removeItem(at: file)
}
