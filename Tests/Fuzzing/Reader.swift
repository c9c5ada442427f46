import Annotation
import ChatTemplates
import Checkpoints
import Distillation
import Experiments
import Files
import Foundation
import LanguageModel
import Randomness
import Reasoning
import Reports
import Serving
import Synchronization
import Teachers
import Tokenizers

/// Something that reads what others wrote: a file, alone or among others, or a reply.
struct Reader: Sendable {
  let name: String
  /// Real inputs, below Tests/Fixtures, or below the folder that `prepare` fills.
  let seeds: [String]
  /// The mutated file's name in the scratch folder.
  let file: String
  /// Files that lie beside it, below Tests/Fixtures.
  var beside: [String] = []
  /// Writes the seeds and what lies beside them, where they are in a format of this project, whose present version is
  /// to be read. The scratch folder begins as a copy.
  var prepare: (@Sendable (_ folder: String) throws -> Void)?
  /// Reads it, given the scratch folder. Whatever it throws is an answer; a trap is not.
  let read: @Sendable (_ folder: String) throws -> Void

  static let all = checkpoints + tokenizers + conversations + adapters + data + teaching + own

  private static let checkpoints: [Reader] = [
    Reader(
      name: "gguf",
      seeds: ["llama.gguf", "families/gemma3.gguf", "families/granite.gguf", "families/phi3.gguf"]
        .map { "checkpoints/" + $0 }, file: "x.gguf"
    ) { folder in
      try values(of: Checkpoint(path: folder + "/x.gguf"))
    },
    Reader(
      name: "safetensors", seeds: ["checkpoints/qwen2/model.safetensors"],
      file: "model.safetensors", beside: ["checkpoints/qwen2/config.json"]
    ) { folder in
      try values(of: Checkpoint(path: folder))
    },
    Reader(
      name: "safetensors-index", seeds: ["checkpoints/llama/model.safetensors.index.json"],
      file: "model.safetensors.index.json",
      beside: [
        "config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
      ].map { "checkpoints/llama/" + $0 }
    ) { folder in
      _ = try Checkpoint(path: folder)
    },
    Reader(
      name: "config",
      seeds: [
        "untied", "tied", "llama3", "yarn", "qwen2-window", "smollm3", "granite", "phi3", "gemma2",
        "gemma3",
      ].map { "decoder/\($0)/config.json" }, file: "config.json"
    ) { folder in
      let configuration = try ModelConfiguration(huggingFacePath: folder + "/config.json")
      if configuration.layerCount < 100 { _ = configuration.tensorShapes }
    },
  ]

  private static let families = ["gemma", "llama-2", "llama-3", "mistral", "phi-3", "qwen2"]

  /// A tokenizer's files.
  private static let tokenizers: [Reader] = [
    Reader(name: "gguf-tokenizer", seeds: ["checkpoints/llama.gguf"], file: "x.gguf") { folder in
      try use(Tokenizer(path: folder + "/x.gguf"))
    },
    Reader(
      name: "gguf-tokenizer-json",
      seeds: ["checkpoints/llama.gguf"]
        + families.map { "tokenizers/families/\($0)/vocabulary.gguf" },
      file: "x.gguf"
    ) { folder in
      try Tokenizer(path: folder + "/x.gguf").write(to: folder + "/out")
    },
    Reader(
      name: "tokenizer-json",
      seeds: ["gpt2", "llama2", "llama3", "metaspace", "qwen2", "words", "prefixed"].map {
        "tokenizers/\($0)/tokenizer.json"
      }, file: "tokenizer.json"
    ) { folder in
      try use(Tokenizer(path: folder))
    },
    Reader(
      name: "tokenizer-json-gguf",
      seeds: ["llama2", "llama3", "smollm2", "families/phi-3"].map {
        "tokenizers/\($0)/tokenizer.json"
      }, file: "tokenizer.json"
    ) { folder in
      let tokenizer = try Tokenizer(path: folder)
      if tokenizer.vocabularySize < 1 << 16 {
        _ = try tokenizer.ggufMetadata(rows: tokenizer.vocabularySize, modelName: "x")
      }
    },
    besideTokenizer("tokenizer-config", "tokenizer_config.json"),
    besideTokenizer(
      "special-tokens-map", "special_tokens_map.json", seeds: ["fuzzing/special_tokens_map.json"]),
    besideTokenizer("generation-config", "generation_config.json"),
  ]

  /// One of the files beside a `tokenizer.json`; its seeds are those of the families where none are given.
  private static func besideTokenizer(_ name: String, _ file: String, seeds: [String]? = nil)
    -> Reader
  {
    Reader(
      name: name, seeds: seeds ?? families.map { "tokenizers/families/\($0)/\(file)" }, file: file,
      beside: ["tokenizers/families/llama-2/tokenizer.json"]
    ) { folder in
      try use(Tokenizer(path: folder))
    }
  }

  private static let conversations: [Reader] = [
    Reader(
      name: "chat-template", seeds: (0..<14).map { "fuzzing/templates/\($0).jinja" },
      file: "x.jinja"
    ) { folder in
      let template = try ChatTemplate.ofFile(folder + "/x.jinja", model: nil)
      _ = try? template.render(chat, addingGenerationPrompt: true, variables: ["tools": tools])
      _ = try template.renderMarkingGeneration(chat, addingGenerationPrompt: false)
    },
    Reader(
      name: "api-request",
      seeds: ["chat-request.json", "completion-request.json"].map { "fuzzing/" + $0 },
      file: "x.json", beside: ["tokenizers/families/llama-2/tokenizer.json"]
    ) { folder in
      let model = try servedModel.withLock { made in
        if let made { return made }
        let model = try servedModel(in: folder)
        made = model
        return model
      }
      let body = try FileContents.bytes(of: folder + "/x.json")
      _ = try? ResponseRequest(chat: body, model)
      _ = try ResponseRequest(completion: body, model)
    },
  ]

  private static let chat = [
    ChatMessage(role: "system", content: "Be brief."),
    ChatMessage(role: "user", content: "  2 + 2, Zoë? \n"),
    ChatMessage(role: "assistant", content: "<think>2 + 2</think>4"),
    ChatMessage(role: "user", content: "日本語 🙂?"),
  ]

  private static let tools = JSONValue.array([
    .object([
      JSONMember(key: "type", value: .string("function")),
      JSONMember(key: "function", value: .object([JSONMember(key: "name", value: .string("f"))])),
    ])
  ])

  private static let servedModel = Mutex<ServedModel?>(nil)

  private static func servedModel(in folder: String) throws -> ServedModel {
    let tokenizer = try Tokenizer(path: folder)
    var generator = SeededGenerator(seed: 1)
    let decoder = try Decoder.random(
      ModelConfiguration(
        vocabularySize: tokenizer.vocabularySize, hiddenSize: 8, intermediateSize: 8, layerCount: 1,
        headCount: 1, keyValueHeadCount: 1, maximumPositions: 256), using: &generator)
    let template = try ChatTemplate(
      source:
        "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}",
      file: "template", bosToken: nil, eosToken: nil)
    return ServedModel(
      Student(decoder: decoder, tokenizer: tokenizer, origin: "x"), chatTemplate: template)
  }

  private static let adapters: [Reader] = [
    Reader(
      name: "adapter-config", seeds: ["decoder/lora-qv/adapter_config.json"],
      file: "adapter_config.json", beside: ["decoder/lora-qv/adapter_model.safetensors"]
    ) { folder in
      try adapt(folder)
    },
    Reader(
      name: "adapter-weights", seeds: ["decoder/lora-qv/adapter_model.safetensors"],
      file: "adapter_model.safetensors", beside: ["decoder/lora-qv/adapter_config.json"]
    ) { folder in
      try adapt(folder)
    },
  ]

  private static let data: [Reader] = [
    Reader(
      name: "jsonl", seeds: ["fuzzing/pairs.jsonl", "fuzzing/chains.jsonl"], file: "x.jsonl"
    ) { folder in
      let path = folder + "/x.jsonl"
      _ = try? JSONLines.pairs(at: path)
      _ = try? JSONLines.prompts(at: path)
      _ = try JSONLines.chains(at: path)
    },
    Reader(name: "gzip", seeds: ["fuzzing/pairs.jsonl.gz"], file: "x.gz") { folder in
      _ = try JSONLines.pairs(at: folder + "/x.gz")
    },
    Reader(name: "weight-sidecar", seeds: ["fuzzing/weights.jsonl"], file: "x.jsonl") { folder in
      let path = folder + "/x.jsonl"
      let weights = try JSONLines.tokenWeights(at: path)
      _ = try? Objective.weighted(OwnFiles.pairs, by: weights, file: path)
    },
    Reader(
      name: "questions",
      seeds: ["agieval-logic.jsonl", "arc.json", "bbh-birds.json", "gsm8k.jsonl"].map {
        "reasoning/" + $0
      }, file: "x.json"
    ) { folder in
      for format in QuestionFormat.allCases {
        _ = try? format.questions(at: folder + "/x.json")
      }
    },
    Reader(
      name: "recorded-chains",
      seeds: ["bbh-outputs.json", "gsm8k-solutions.jsonl"].map { "reasoning/" + $0 }, file: "x.json"
    ) { folder in
      for format in RecordedFormat.allCases {
        _ = try? format.annotations(at: folder + "/x.json")
      }
    },
    Reader(
      name: "labelled-chains",
      seeds: ["fuzzing/labelled-chains.jsonl", "fuzzing/labelled-solutions.jsonl"], file: "x.jsonl"
    ) { folder in
      let path = folder + "/x.jsonl"
      _ = try? LabelledChain.mrGSM8K(at: path)
      for var chain in try LabelledChain.bigBenchMistake(at: path) {
        for task in ["tracking_shuffled_objects", "multistep_arithmetic"] {
          chain.task = task
          _ = chain.correctedSteps
        }
        _ = chain.mistakeRange
      }
    },
    Reader(
      name: "responses",
      seeds: ["bbh-outputs.json", "gsm8k-solutions.jsonl"].map { "reasoning/" + $0 }
        + ["fuzzing/responses.jsonl"], file: "x.json"
    ) { folder in
      for format in ResponseFormat.allCases {
        guard let responses = try? format.responses(at: folder + "/x.json") else { continue }
        _ = Score(responses) { format.rule(forTask: $0) }.byTask
      }
    },
    Reader(name: "results-csv", seeds: ["fuzzing/results.csv"], file: "x.csv") { folder in
      let file = try ResultFile(path: folder + "/x.csv")
      if let reference = ResultPoints.defaultReference(file.runs.map(\.arm)) {
        _ = ResultPoints(file, reference: reference)
      }
    },
    Reader(name: "report", seeds: ["fuzzing/results.csv"], file: "x.csv") { folder in
      let report = try Report(path: folder + "/x.csv", resamples: 100)
      try report.write(beside: folder + "/x.csv")
      try ReportPage(report, runs: folder).write(beside: folder + "/x.csv")
    },
    Reader(name: "steps-csv", seeds: ["fuzzing/results.steps.csv"], file: "x.steps.csv") { folder in
      _ = try MeanCurveFile(path: folder + "/x.steps.csv")
    },
  ]

  private static let teaching: [Reader] = [
    Reader(
      name: "teacher-reply",
      seeds: ["reply.json", "stream.txt", "error.json"].map { "fuzzing/" + $0 }, file: "x.json"
    ) {
      folder in
      let body = try FileContents.bytes(of: folder + "/x.json")
      let reply = try EndpointReply(body)
      for text in reply.answer.texts {
        _ = ResponseText(text, stop: ["\n\n"])
        _ = AnswerRule.usual(forTask: "gsm8k").read(text, gold: "7", options: [])
      }
    },
    Reader(name: "answer-text", seeds: ["fuzzing/answers.txt"], file: "x.txt") { folder in
      let text = String(decoding: try FileContents.bytes(of: folder + "/x.txt"), as: UTF8.self)
      for task in [
        "gsm8k", "date_understanding", "tracking_shuffled_objects", "boolean_expressions",
      ] {
        _ = AnswerRule.usual(forTask: task).read(text, gold: "(A)", options: options)
      }
      _ = StatedArithmetic.equations(in: text)
    },
    Reader(
      name: "prompt-template", seeds: ["fuzzing/rectify.mustache"], file: "rectify.mustache"
    ) { folder in
      _ = try PromptTemplates(folder: folder).prompt(.rectify, for: OwnFiles.question)
    },
    Reader(name: "exemplars", seeds: ["fuzzing/exemplars.jsonl"], file: "x.jsonl") { folder in
      let templates = try PromptTemplates(exemplars: folder + "/x.jsonl")
      _ = templates.prompt(.corrupt, for: OwnFiles.question, rightResponse: "It is 4.")
    },
  ]

  private static let options = [
    Question.Option(label: "A", text: "1"), Question.Option(label: "B", text: "2"),
  ]

  private static func values(of checkpoint: Checkpoint) throws {
    for tensor in checkpoint.tensors where tensor.elementCount < 1 << 20 {
      _ = try checkpoint.read(tensor.name)
    }
  }

  private static func use(_ tokenizer: Tokenizer) {
    let ids = tokenizer.encode("Ab é 12  x\n<s>👩‍👩‍👧", addingSpecialTokens: true)
    _ = tokenizer.decode(ids)
    _ = tokenizer.encodePrompt("a b")
  }

  private static let model = ModelConfiguration(
    vocabularySize: 97, hiddenSize: 32, intermediateSize: 48, layerCount: 2, headCount: 4,
    keyValueHeadCount: 2, headDimension: 12, tiesEmbeddings: false)

  private static func adapt(_ folder: String) throws {
    _ = try LowRankAdapter(
      PEFTAdapter(folder: folder), for: model, file: folder + "/adapter_config.json")
  }
}
