import Foundation
import TestSupport
import Testing

/// The bf16 products behind OpenBLAS's interface, which the builds of Debian and PyPI do not export: here a
/// plain loop stands in for it.
@Suite struct BFloat16BackendTests {
  private static let compiler = ["/usr/bin/cc", "/usr/bin/clang", "/usr/bin/gcc"].first {
    FileManager.default.isExecutableFile(atPath: $0)
  }

  private static let source = """
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    static long calls;
    static float wide(unsigned short x) {
      unsigned bits = (unsigned)x << 16;
      float y;
      memcpy(&y, &bits, 4);
      return y;
    }
    __attribute__((destructor)) static void report(void) {
      FILE *file = fopen(getenv("SBGEMM_CALLS"), "w");
      if (file) fprintf(file, "%ld", calls), fclose(file);
    }
    void cblas_sbgemm(int order, int ta, int tb, int m, int n, int k, float alpha, const unsigned short *a, int lda,
                      const unsigned short *b, int ldb, float beta, float *c, int ldc) {
      if (order != 101) abort();
      __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
      for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
          float sum = 0;
          for (int p = 0; p < k; p++)
            sum += wide(ta == 112 ? a[p * lda + i] : a[i * lda + p]) * wide(tb == 112 ? b[j * ldb + p] : b[p * ldb + j]);
          c[i * ldc + j] = alpha * sum + (beta == 0 ? 0 : beta * c[i * ldc + j]);
        }
    }
    """

  #if os(Linux)
    @Test(
      "Training through cblas_sbgemm gives the losses of products emulated in single precision",
      .enabled(if: compiler != nil, "no C compiler is here"))
    func openBLAS() throws {
      let place = try Workplace()
      let source = try place.file("sbgemm.c", Self.source)
      let library = place.path + "/libsbgemm.so"
      let built = try runExecutable(
        try #require(Self.compiler), ["-O2", "-shared", "-fPIC", source, "-o", library])
      try #require(built.status == 0, "\(built.errors)")
      let model = try numberedModel(in: place.path)
      let pairs = try place.pairs(somePairs)
      let calls = place.path + "/calls"
      func losses(_ environment: [String: String]) throws -> [Double] {
        let call = try runExecutable(
          executable("keystep"),
          [
            "train", "--model", model, "--pairs", pairs, "--objective", "krsl", "--precision",
            "bf16", "--steps", "3", "--batch-size", "4", "--seed", "1", "--json", "--workers", "1",
          ], environment: environment)
        try #require(call.status == 0, "\(call.errors)")
        return try call.objects().compactMap { $0["loss"] as? Double }
      }
      let emulated = try losses(["KEYSTEP_BF16": "emulated"])
      let found = try losses([
        "KEYSTEP_BF16": "openblas", "LD_PRELOAD": library, "SBGEMM_CALLS": calls,
      ])
      #expect(try #require(Int(String(contentsOfFile: calls, encoding: .utf8))) > 100)
      try #require(found.count == 3 && emulated.count == 3)
      for (a, b) in zip(found, emulated) { #expect(abs(a - b) <= 1e-5 * max(1, abs(b))) }
    }
  #endif
}
