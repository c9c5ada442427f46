import ArgumentParser
import Checkpoints
import Distillation
import Files
import Foundation
import LanguageModel
import LinearAlgebra
import Reasoning

struct MergeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "merge",
    abstract:
      "Write a model, with an adapter merged into its weights, as a Hugging Face folder or a GGUF.",
    discussion: """
      An --output that ends in .gguf becomes a GGUF for llama.cpp, with the tokenizer and the chat template; another \
      one a Hugging Face folder for --model and Transformers, with the tokenizer's files, the chat template and \
      generation_config.json. Without --adapter the model itself is written.

      The base is expanded to single precision, the update is added, and the sum is rounded to --dtype. How far that is \
      from what was trained is printed, relative to the norm of the weights; with --prompts also as the difference of \
      the logits. With --json all that is one line: {"output","format","dtype","tensors","parameters","base_types",\
      "update","rounding","largest_rounding","largest_rounding_tensor","logits","notes"}.

      Example: keystep merge --model models/SmolLM2-135M-Instruct.Q4_1.gguf --adapter runs/stage1 \
      --output runs/stage1-merged
      Example: keystep merge --model models/SmolLM2-135M-Instruct.Q4_1.gguf --adapter runs/stage1 \
      --output runs/stage1.gguf --dtype q8_0
      """)

  enum DType: String, CaseIterable, ExpressibleByArgument {
    case fp32, fp16, bf16
    case q80 = "q8_0"

    var elementType: ElementType {
      switch self {
      case .fp32: .f32
      case .fp16: .f16
      case .bf16: .bf16
      case .q80: .q80
      }
    }
  }

  @OptionGroup var student: StudentOptions
  @Option(help: "The Hugging Face folder to write, or the GGUF: a path that ends in .gguf.")
  var output: String
  @Option(
    help: """
      The type of the tensors, in a GGUF of the matrices: fp32, fp16, bf16, and in a GGUF q8_0.
      """)
  var dtype: DType = .fp32
  @Option(
    help: """
      Prompts as JSON lines with prompt, over whose tokens the logits of what is written are compared with those of \
      what was trained.
      """)
  var prompts: String?
  @Flag(help: "Replace the model or the adapter that lies at --output.")
  var overwrite = false
  @Flag(help: "Print a JSON line.")
  var json = false

  private var isGGUF: Bool { output.hasSuffix(".gguf") }

  func validate() throws {
    if dtype == .q80, !isGGUF {
      throw ValidationError("--dtype q8_0 needs an --output that ends in .gguf, not \(output)")
    }
  }

  func run() throws {
    try checkOutput()
    let prompts = try prompts.map(JSONLines.prompts(at:))
    let trained = try student.load(.fp32)
    let base = try Checkpoint(path: student.model)
    var merged = trained
    if trained.decoder.adapter != nil { merged.decoder = trained.decoder.merged() }

    let shift: RoundingShift
    let notes: [String]
    if isGGUF {
      let export = try merged.writeGGUF(to: output, type: dtype.elementType)
      shift = export.shift
      notes = export.notes
    } else {
      shift = try merged.write(to: output, roundedTo: dtype.elementType)
      notes = []
    }
    let report = Report(
      output: output, format: isGGUF ? "gguf" : "huggingface", dtype: dtype.rawValue,
      tensors: base.tensors.count,
      parameters: base.tensors.reduce(0) { $0 + $1.elementCount },
      baseTypes: Dictionary(grouping: base.tensors, by: \.elementType.rawValue).mapValues(\.count),
      update: student.adapter.map { _ in
        merged.decoder.relativeDistance(from: trained.decoder.adapted(by: nil))
      },
      rounding: shift.relative, largestRounding: shift.largest?.relative,
      largestRoundingTensor: shift.largest?.tensor,
      logits: try prompts.map { try compare(trained, over: $0) }, notes: notes)
    if json { try printJSONLine(report) } else { print(report.text) }
  }

  /// Throws where something lies at the output that would be lost.
  private func checkOutput() throws {
    if FileContents.exists(output) {
      for other in [student.model, student.adapter ?? student.model]
      where URL(fileURLWithPath: other).resolvingSymlinksInPath().path
        == URL(fileURLWithPath: output).resolvingSymlinksInPath().path
      {
        throw FileError(
          file: output, expected: "another --output than the model and the adapter",
          found: "one of them")
      }
      if isGGUF, FileContents.isFolder(output) {
        throw FileError(file: output, expected: "a file to write a GGUF to", found: "a folder")
      }
      if !isGGUF, !FileContents.isFolder(output) {
        throw FileError(
          file: output, expected: "a folder, or a path that ends in .gguf", found: "a file")
      }
      let found =
        isGGUF
        ? "a file"
        : ["model.safetensors", "model.safetensors.index.json", "adapter_model.safetensors"].first {
          FileContents.exists("\(output)/\($0)")
        }
      if let found, !overwrite {
        throw FileError(
          file: output, expected: "no model there (--overwrite replaces it)", found: found)
      }
    }
    // Before the work.
    try AtomicFile.check(isGGUF ? output : "\(output)/model.safetensors")
  }

  /// The logits of what was written beside those of `trained`.
  private func compare(_ trained: Student, over prompts: [Prompt]) throws -> LogitComparison {
    let written = try Student(path: output)
    let workers = Workers(count: 1)
    var comparison = LogitComparison(prompts: prompts.count)
    for prompt in prompts {
      let tokens = trained.tokenizer.encodePrompt(
        prompt.text, includesSpecialTokens: trained.includesSpecialTokens)
      guard tokens.count <= trained.decoder.configuration.maximumPositions else {
        throw FileError(
          file: self.prompts ?? "", location: prompt.id,
          expected: "at most \(trained.decoder.configuration.maximumPositions) tokens",
          found: "\(tokens.count)")
      }
      guard !tokens.isEmpty else { continue }
      comparison.add(
        workers.logits(of: tokens, on: trained.decoder),
        workers.logits(of: tokens, on: written.decoder))
    }
    return comparison
  }

  /// How far two models' logits are apart over the same tokens.
  private struct LogitComparison: Encodable {
    var prompts: Int
    var tokens = 0
    /// The largest |a - b| of two logits.
    var largestDifference: Float = 0
    /// The mean over tokens of KL(trained ‖ written), in nats.
    var meanKl = 0.0
    /// The tokens after which both models find the same token likeliest.
    var equalTop = 0

    init(prompts: Int) { self.prompts = prompts }

    mutating func add(_ trained: Matrix<Float>, _ written: Matrix<Float>) {
      for row in 0..<trained.rows {
        let (a, b) = (
          trained.elements[row * trained.columns..<(row + 1) * trained.columns],
          written.elements[row * trained.columns..<(row + 1) * trained.columns]
        )
        let (topA, topB) = (a.max() ?? 0, b.max() ?? 0)
        let sumA = a.reduce(0) { $0 + exp(Double($1 - topA)) }
        let sumB = b.reduce(0) { $0 + exp(Double($1 - topB)) }
        var divergence = 0.0
        for (x, y) in zip(a, b) {
          largestDifference = max(largestDifference, abs(x - y))
          let logA = Double(x - topA) - log(sumA)
          divergence += exp(logA) * (logA - (Double(y - topB) - log(sumB)))
        }
        meanKl = (meanKl * Double(tokens) + max(0, divergence)) / Double(tokens + 1)
        tokens += 1
        if a.firstIndex(of: topA) == b.firstIndex(of: topB) { equalTop += 1 }
      }
    }
  }

  private struct Report: Encodable {
    var output: String
    var format: String
    var dtype: String
    var tensors: Int
    var parameters: Int
    /// Tensors of the base in each type.
    var baseTypes: [String: Int]
    /// ‖merged − base‖ / ‖base‖; null without an adapter.
    var update: Double?
    /// ‖written − merged‖ / ‖merged‖.
    var rounding: Double
    var largestRounding: Double?
    var largestRoundingTensor: String?
    var logits: LogitComparison?
    var notes: [String]

    var text: String {
      func short(_ number: Double) -> String { String(format: "%.3g", number) }
      let types = baseTypes.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
      var lines = [
        "\(output): \(parameters) parameters, \(dtype)",
        "base      \(types.joined(separator: ", "))",
      ]
      if let update { lines.append("update    \(short(update)) of the base's norm") }
      let largest = largestRounding.flatMap { largest in
        largestRoundingTensor.map { ", at most \(short(largest)) (\($0))" }
      }
      lines.append("rounding  \(short(rounding)) of the norm\(largest ?? "")")
      if let logits {
        lines.append(
          "logits    within \(short(Double(logits.largestDifference))) over \(logits.tokens) tokens of "
            + "\(logits.prompts) prompts, KL \(short(logits.meanKl)) nats a token, "
            + "\(logits.equalTop) top tokens equal")
      }
      return (lines + notes.map { "note      \($0)" }).joined(separator: "\n")
    }
  }
}
