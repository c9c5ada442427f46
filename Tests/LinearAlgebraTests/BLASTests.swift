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

    @Test("The widest kernels are those of the core that the user names, where there is one")
    func chosenCore() async {
      await #expect(processExitsWith: .success) {
        for core in ["Prescott", "Nonesuch"] {
          setenv("KEYSTEP_BLAS_CORE", core, 1)
          let before = BLAS.coreName
          let now = BLAS.useWidestKernels()
          try #require(now == BLAS.coreName)
          try #require(now == before || now == core)
        }
      }
    }
  #endif
}
