/// The number format that the operands of matrix products are rounded to. Sums, results and
/// everything between the products are in single precision.
public enum Precision: String, Sendable, Codable, CaseIterable {
  /// Single precision: 24 significant bits.
  case fp32
  /// bfloat16: 8 significant bits, the range of single precision. As under PyTorch's
  /// `torch.autocast(dtype=torch.bfloat16)`, but for results, which autocast rounds too.
  case bf16
}
