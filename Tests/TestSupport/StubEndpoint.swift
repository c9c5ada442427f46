import Foundation
import Synchronization

/// An HTTP server on loopback that answers each request as a test says.
public final class StubEndpoint: Sendable {
  public struct Request: Sendable {
    public var path: String
    /// By their names in lower case.
    public var headers: [String: String]
    public var body: Data

    /// The body as a JSON object.
    public var fields: [String: Any] {
      (try? JSONSerialization.jsonObject(with: body)) as? [String: Any] ?? [:]
    }
  }

  public enum Reply: Sendable {
    case answer(Int, headers: [String: String] = [:], String)
    /// The same with a body that need not be text.
    case bytes(Int, headers: [String: String] = [:], [UInt8])
    /// Sends this much and cuts the connection.
    case cut(String = "")
  }

  /// As a client takes it: `http://127.0.0.1:PORT/v1`.
  public let baseURL: String
  private let listener: Int32
  private let received: Received

  private final class Received: Sendable {
    let requests = Mutex<[Request]>([])
  }

  /// The requests that came, in their order.
  public var requests: [Request] { received.requests.withLock { $0 } }

  /// Serves until it is let go.
  ///
  /// - Parameter reply: What to answer to a request and its number from 0; called on a thread of
  ///   the connection, which it may hold up.
  public init(_ reply: @escaping @Sendable (Request, Int) -> Reply) throws {
    signal(SIGPIPE, SIG_IGN)
    #if canImport(Glibc)
      let kind = Int32(SOCK_STREAM.rawValue)
    #else
      let kind = SOCK_STREAM
    #endif
    let listener = socket(AF_INET, kind, 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let failed = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, size) != 0 || listen(listener, 256) != 0
          || getsockname(listener, $0, &size) != 0
      }
    }
    if failed { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    self.listener = listener
    baseURL = "http://127.0.0.1:\(UInt16(bigEndian: address.sin_port))/v1"
    let received = Received()
    self.received = received
    Thread.detachNewThread {
      while true {
        let connection = accept(listener, nil, nil)
        if connection < 0 {
          // Closed here and nowhere else: its number may be another listener's right after.
          close(listener)
          return
        }
        Thread.detachNewThread {
          defer { close(connection) }
          guard let request = Self.read(connection) else { return }
          let number = received.requests.withLock { requests in
            requests.append(request)
            return requests.count - 1
          }
          switch reply(request, number) {
          case .cut(let start): Self.send(Array(start.utf8), to: connection)
          case .answer(let status, let headers, let body):
            Self.send(status, headers, Array(body.utf8), to: connection)
          case .bytes(let status, let headers, let body):
            Self.send(status, headers, body, to: connection)
          }
        }
      }
    }
  }

  deinit {
    shutdown(listener, Int32(SHUT_RDWR))
  }

  private static func send(
    _ status: Int, _ headers: [String: String], _ body: [UInt8], to connection: Int32
  ) {
    let lines =
      ["HTTP/1.1 \(status) Stub", "Content-Length: \(body.count)", "Connection: close"]
      + headers.map { "\($0): \($1)" }
    send(Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body, to: connection)
  }

  private static func send(_ bytes: [UInt8], to connection: Int32) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { write(connection, $0.baseAddress, $0.count) }
      if count <= 0 { return }
      rest = rest.dropFirst(count)
    }
  }

  /// Reads one request; nil where the connection ends before it.
  private static func read(_ connection: Int32) -> Request? {
    var data = Data()
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    func more() -> Bool {
      let count = recv(connection, &chunk, chunk.count, 0)
      if count > 0 { data.append(contentsOf: chunk[..<count]) }
      return count > 0
    }
    let end = Data("\r\n\r\n".utf8)
    while data.range(of: end) == nil { guard more() else { return nil } }
    guard let head = data.range(of: end) else { return nil }
    let lines = String(decoding: data[..<head.lowerBound], as: UTF8.self)
      .components(separatedBy: "\r\n")
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { continue }
      headers[line[..<colon].lowercased()] = line[colon...].dropFirst()
        .trimmingCharacters(in: .whitespaces)
    }
    let length = headers["content-length"].flatMap { Int($0) } ?? 0
    while data.count < head.upperBound + length { guard more() else { return nil } }
    return Request(
      path: lines[0].split(separator: " ").dropFirst().first.map(String.init) ?? "",
      headers: headers, body: data[head.upperBound...])
  }
}
