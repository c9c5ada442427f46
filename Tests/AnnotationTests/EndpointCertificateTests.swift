import Annotation
import NIOCore
import NIOPosix
import NIOSSL
import Teachers
import TestSupport
import Testing

@Suite("An endpoint's certificate")
struct EndpointCertificateTests {
  @Test("that nobody vouches for is an error that names it, at once")
  func selfSigned() async throws {
    let file = fixture("certificates/self-signed.pem").path
    let tls = try NIOSSLContext(
      configuration: .makeServerConfiguration(
        certificateChain: NIOSSLCertificate.fromPEMFile(file).map { .certificate($0) },
        privateKey: .privateKey(NIOSSLPrivateKey(file: file, format: .pem))))
    let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    let url = "https://127.0.0.1:\(try #require(server.localAddress?.port))/v1"
    // A handshake that succeeds brings no answer and ends in a timeout.
    let teacher = try EndpointTeacher(
      baseURL: url, model: "toy",
      patience: EndpointTeacher.Patience(timeout: .seconds(20), tries: 2, firstWait: .zero))
    let error = await #expect(throws: EndpointError.self) {
      try await teacher.answer(prompt("1"), TeacherSampling(temperature: 0, maximumTokens: 1))
    }
    try await server.close()
    #expect(error?.url == url + "/chat/completions" && error?.tries == 1)
    #expect(error?.expected == "a TLS certificate that can be verified")
    #expect(error?.found.contains("CERTIFICATE_VERIFY_FAILED") == true, "\(error?.found ?? "")")
  }
}
