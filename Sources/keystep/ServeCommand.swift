import ArgumentParser
import ChatTemplates
import Distillation
import Files
import Serving

struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Serve a model through OpenAI's HTTP API.",
    discussion: """
      Endpoints: /v1/completions (with echo and logprobs), /v1/chat/completions, /v1/models and \
      /health. lm-evaluation-harness and OpenAI's client libraries work with it. Only chats are \
      rendered with the chat template; the prompts of /v1/completions are given as they are. SIGINT \
      and SIGTERM end it once the running requests have their replies.

      Example: keystep serve --model models/SmolLM2-135M-Instruct.Q4_1.gguf

      lm_eval --model local-completions --model_args \
      base_url=http://127.0.0.1:8000/v1/completions,tokenizer=FOLDER,num_concurrent=16 --tasks TASK
      """)

  @OptionGroup var student: StudentOptions
  @Option(help: "The model's id in the API; the last part of its path where left out.")
  var name: String?
  @Option(help: "The address to listen at. There is no authentication.")
  var host = "127.0.0.1"
  @Option(help: "The port to listen at; 0 takes a free one.")
  var port = 8000
  @Option(help: "The most sequences decoded at once.")
  var maxBatch = 32
  @OptionGroup var compute: ComputeOptions

  func validate() throws {
    var problems: [String] = []
    if !(0...65535).contains(port) {
      problems.append("--port must be from 0 to 65535, not \(port)")
    }
    if !(1...4096).contains(maxBatch) {
      problems.append("--max-batch must be from 1 to 4096, not \(maxBatch)")
    }
    if host.isEmpty { problems.append("--host must not be empty") }
    if name?.isEmpty == true { problems.append("--name must not be empty") }
    if !problems.isEmpty { throw ValidationError(problems.joined(separator: "; ")) }
  }

  /// Whether only this machine reaches the address.
  private var isLoopback: Bool { host == "localhost" || host == "::1" || host.hasPrefix("127.") }

  /// A model whose own template cannot be used has no chat, but completions.
  private func chatTemplate(of student: Student) -> ChatTemplate? {
    do { return try student.chat.template(isConversation: true) } catch {
      StandardError.line("warning: there will be no /v1/chat/completions: \(error)")
      return nil
    }
  }

  func run() async throws {
    StandardStreams.ignoreBrokenPipes()
    let student = try student.load(compute.baseWeights)
    let model = ServedModel(student, name: name, chatTemplate: chatTemplate(of: student))
    let server = APIServer(
      model, workers: compute.workers, batch: maxBatch, precision: compute.precision)
    if !isLoopback {
      StandardError.line(
        "warning: anyone who reaches \(host) can use the model; there is no authentication")
    }
    let shownHost = host.contains(":") ? "[\(host)]" : host
    do {
      try await server.run(host: host, port: port) { port in
        try? StandardStreams.print("\(model.name) at http://\(shownHost):\(port)/v1\n".utf8)
      }
    } catch {
      throw FileError(
        file: "\(shownHost):\(port)", expected: "an address that can be listened at",
        found: "\(error)")
    }
  }
}
