import CZlib

/// gzip data: one member, or several one after the other as `cat a.gz b.gz` makes them.
///
/// Source: RFC 1952; zlib's manual, https://zlib.net/manual.html
enum Gzip {
  /// The first bytes of each member.
  static let magic: [UInt8] = [0x1F, 0x8B]

  /// Text beyond this many bytes may be at most `largestRatio` times as long as what it was compressed to. That of a
  /// data set is 3 to 30 times as long; deflate reaches 1032 with a file of zeros, made to fill a memory.
  static let unboundedSize = 1 << 26
  static let largestRatio = 256

  /// The bytes that `data` was made from. The checksum and the length of each member are checked.
  ///
  /// Throws, naming `file`, where the data are cut short or damaged, where something else follows the last member
  /// (zeros are skipped, as by gzip), or where the bytes are beyond the bound above.
  static func decompress(_ data: [UInt8], file: String) throws(FileError) -> [UInt8] {
    var stream = z_stream()
    // A window of 32 KiB; 16 more for gzip's header and checksum.
    let status = inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    guard status == Z_OK else {
      throw FileError(
        file: file, expected: "memory to decompress gzip", found: "status \(status) of zlib")
    }
    defer { inflateEnd(&stream) }
    let (product, overflows) = data.count.multipliedReportingOverflow(by: largestRatio)
    let most = overflows ? Int.max : max(unboundedSize, product)
    var output: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 18)
    var position = 0
    // Bytes may be left to be written once all are read.
    var isFull = false
    while position < data.count || isFull {
      let (result, read, written) = step(&stream, data, from: position, into: &chunk)
      position += read
      isFull = written == chunk.count
      output.append(contentsOf: chunk[..<written])
      let location = "byte \(position) of the gzip data"
      guard output.count <= most else {
        throw FileError(
          file: file, location: location,
          expected: "at most \(largestRatio) times as many bytes as the file's \(data.count)",
          found: "\(output.count) and more")
      }
      switch result {
      case Z_OK: break
      case Z_STREAM_END:
        let rest = data[position...]
        if rest.allSatisfy({ $0 == 0 }) { return output }
        guard rest.starts(with: magic) else {
          throw FileError(
            file: file, location: location, expected: "another gzip member or the end",
            found: "other bytes")
        }
        inflateReset(&stream)
      // Nothing was left to be read or written.
      case Z_BUF_ERROR where position == data.count: isFull = false
      default:
        throw FileError(
          file: file, location: location, expected: "gzip data that are whole",
          found: stream.msg.map { String(cString: $0) } ?? "status \(result) of zlib")
      }
    }
    throw FileError(
      file: file, location: "byte \(position) of the gzip data",
      expected: "the rest of a gzip member",
      found: "the end of the file")
  }

  /// One call of `inflate`, with what it read and what it wrote.
  private static func step(
    _ stream: inout z_stream, _ data: [UInt8], from position: Int, into chunk: inout [UInt8]
  ) -> (status: Int32, read: Int, written: Int) {
    let available = min(data.count - position, 1 << 30)
    let room = chunk.count
    return data.withUnsafeBufferPointer { data in
      chunk.withUnsafeMutableBufferPointer { chunk in
        // zlib does not write through it.
        stream.next_in = UnsafeMutablePointer(mutating: data.baseAddress.map { $0 + position })
        stream.avail_in = uInt(available)
        stream.next_out = chunk.baseAddress
        stream.avail_out = uInt(room)
        let status = inflate(&stream, Z_NO_FLUSH)
        return (status, available - Int(stream.avail_in), room - Int(stream.avail_out))
      }
    }
  }
}
