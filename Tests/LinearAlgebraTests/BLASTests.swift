import LinearAlgebra
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The settings of OpenBLAS, which hold for the whole process: what changes them runs in a process
/// of its own, away from the products of other tests.
@Suite struct BLASTests {
  @Test("OpenBLAS says what it is")
  func names() {
    #expect(!BLAS.coreName.isEmpty && BLAS.coreName != "unknown")
    #expect(BLAS.configuration.contains("OpenBLAS"))
  }

  #if compiler(>=6.2)
    @Test("The number of threads is read as it was set")
    func threadCount() async {
      await #expect(processExitsWith: .success) {
        for count in [1, 2, 1] {
          BLAS.threadCount = count
          try #require(BLAS.threadCount == count)
        }
      }
    }

    @Test("A core is set, and products are right after it, or nothing is changed")
    func core() async {
      await #expect(processExitsWith: .success) {
        let first = BLAS.coreName
        setenv("OPENBLAS_CORETYPE", first, 1)
        for core in ["Nonesuch", "Prescott", "", first, "Nonesuch"] {
          let before = BLAS.coreName
          let isSet = BLAS.setCore(core)
          try #require(BLAS.coreName.lowercased() == (isSet ? core : before).lowercased())
          let product =
            Matrix<Float>(rows: 2, columns: 2, elements: [1, 2, 3, 4])
            * Matrix<Float>(rows: 2, columns: 2, elements: [5, 6, 7, 8])
          try #require(product.elements == [19, 22, 43, 50])
        }
        try #require(getenv("OPENBLAS_CORETYPE").map { String(cString: $0) } == first)
      }
    }

    @Test("The first product selects the core that the user names, and one thread for each product")
    func firstUse() async {
      await #expect(processExitsWith: .success) {
        setenv("KEYSTEP_BLAS_CORE", "Prescott", 1)
        let product =
          Matrix<Float>(rows: 1, columns: 2, elements: [1, 2])
          * Matrix<Float>(rows: 2, columns: 1, elements: [3, 4])
        try #require(product.elements == [11])
        try #require(BLAS.threadCount == 1)
        // Selecting the core once more changes nothing where it could be selected at all.
        let chosen = BLAS.coreName
        try #require(BLAS.setCore("Prescott") == (chosen == "Prescott"))
      }
    }

    @Test("A processor with AVX-512 runs kernels for it without a call")
    func widestKernels() async {
      await #expect(processExitsWith: .success) {
        unsetenv("KEYSTEP_BLAS_CORE")
        setenv("OPENBLAS_CORETYPE", "Haswell", 1)
        let core = BLAS.coreName.lowercased()
        guard Processor.hasAVX512, BLAS.setCore("SkylakeX") else { return }
        try #require(["skylakex", "cooperlake", "sapphirerapids"].contains(core))
      }
    }

    @Test("A core that does not exist is ignored")
    func unknownCore() async {
      await #expect(processExitsWith: .success) {
        setenv("KEYSTEP_BLAS_CORE", "Nonesuch", 1)
        try #require(!BLAS.coreName.isEmpty && BLAS.coreName != "Nonesuch")
      }
    }
  #endif
}
