import Files
import Foundation

/// What one run leaves behind: enough to know what it was, where it ran and what came of it.
public struct RunRecord: Codable, Sendable {
  public var experiment: String
  /// The hash of the experiment's name and the resolved settings, checksums included.
  public var identity: String
  public var settings: [String: SettingValue]
  /// SHA-256 of data and model, by name.
  public var checksums: [String: String]
  /// The commit, and whether files differed from it.
  public var commit: String
  public var isModified: Bool
  /// Processor, cores, memory, BLAS core and threads.
  public var machine: [String: String]
  /// What each split was used for; nil in records that were written before it was said.
  public var scoring: String? = RunRecord.scoringRule
  public var seconds: Double
  public var finished: Date
  /// Empty where the run failed.
  public var metrics: [Metric]
  /// What went wrong; nil for a finished run.
  public var failure: String?

  /// How runs are scored, all of them.
  public static let scoringRule =
    "validation is what settings are chosen on; each test was scored once, after training"
}

/// The records of an experiment's runs, one JSON file each.
package struct RecordStore: Sendable {
  let folder: String

  package init(folder: String) { self.folder = folder }

  package static func identity(
    _ experiment: String, _ settings: RunSettings, _ checksums: [String: String]
  )
    -> String
  {
    let sums = checksums.sorted { $0.key < $1.key }.map { "sha256 \($0.key)=\($0.value)\n" }
    return String(
      SHA256.hex(of: experiment + "\n" + settings.canonicalText + sums.joined()).prefix(16))
  }

  private func path(_ identity: String) -> String { "\(folder)/\(identity).json" }

  /// The record of a run that finished; nil where there is none, it failed, or it cannot be read,
  /// so that the run is made again.
  package func finished(_ identity: String) -> RunRecord? {
    let decoder = JSONDecoder()
    decoder.dateDecodingStrategy = .iso8601
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
    guard let data = FileManager.default.contents(atPath: path(identity)),
      let record = try? decoder.decode(RunRecord.self, from: data)
    else { return nil }
    return record.failure == nil ? record : nil
  }

  /// Writes the record, the whole file or nothing.
  package func write(_ record: RunRecord) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.dateEncodingStrategy = .iso8601
    // A figure over nothing has no value; that is no reason to lose the run.
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try encoder.encode(record).write(
      to: URL(fileURLWithPath: path(record.identity)), options: .atomic)
  }
}
