import Reasoning
import Testing

@Suite("Stated arithmetic")
struct StatedArithmeticTests {
  @Test(
    "that comes out holds",
    arguments: [
      "12 * 4 = 48", "<<12*4=48>>48", "48/2 = <<48/2=24>>24 clips", "2*1/2 = <<2*1/2=1.0>>1 bolt",
      "5 x 3 = 15", "5x3=15", "5 × 3 = 15", "20 ÷ 4 = 5", "10 − 3 = 7", "10-3=7", "5 – 3 = 2",
      "$3 + $4 = $7", "$1,000 * 2 = $2,000", "2 * $.50 = $1", "1.5 + 2.25 = 3.75 euros",
      "4€ + 3€ = 7€",
      // Chains, and the run-on way to write them.
      "3 + 4 + 5 = 12", "3 + 4 + 5 = 7 + 5 = 12", "5 + 3 = 8 + 2 = 10", "= 2 * 3 = 6",
      // Products before sums, parentheses, signs.
      "2 + 3 * 4 = 14", "(2 + 3) * 4 = 20", "2 * (3 + 4) - 1 = 13", "-5 + 3 = -2", "5 * -3 = -15",
      "20 - 2 - 3 = 15", "24 / 4 / 2 = 3",
      // Units between a number and the next sign.
      "40 cups per chicken * 20 chickens = 800 cups", "3 apples + 4 apples = 7 apples",
      "He ran 3 miles * 5 days = 15 miles a week", "20 cups of feed * 3 = 60",
      "5 times 3 = 15", "20 divided by 4 = 5", "3 plus 4 minus 2 = 5",
      // Percentages and shares.
      "20% of 50 = 10", "50 * 20% = 10", "100 - 20% = 80", "30% + 20% = 50%", "1/4 = 25%",
      "25 / 50 * 100 = 50%", "1/2 of 50 = 25", "0.5 of 50 = 25",
      // Rounded or cut results, and scales.
      "10 / 3 = 3.33", "2 / 3 = 0.67", "2 / 3 = 0.66", "100 / 3 = 33", "7 / 2 = 4",
      "33.33 * 3 = 100",
      "2 million + 500,000 = 2.5 million", "3 * 2 thousand = 6,000",
      // Markup.
      "**12 * 4 = 48**", "- 12 * 4 = 48", "* 12 * 4 = 48", "1. 12 * 4 = 48", "1) 12 * 4 = 48",
      #"\(12 \times 4 = 48\)"#, "So 20 (5 * 4 = 20) are left", "12 * 4 = 48!",
      // A side in parentheses, words, LaTeX, powers, the result first.
      "(5 + 3 - 4) = 4", "A = (5 - 2) = 3", "(-16 - 6) = (-20 - 2) = -22", "((2 + 3)) = 5",
      "12 plus 4 equals 16", "12 + 4 is equal to 16", "12 + 4 is 16", "20% of 50 is 10",
      #"\frac{12}{4} = 3"#, #"$\frac{1}{2} + \frac{1}{4} = \frac{3}{4}$"#, #"2 \cdot 3 = 6"#,
      "16 = 12 + 4",
      "so 16 = 12 + 4", "7 * 8 = 56 = 8 * 7", "2^5 = 32", "3**2 + 1 = 10", "-3^2 + 1 = -8",
      "4! / 3 = 8", "5! = 120", "0! = 1", "2^3! = 64", "2 * 3! = 12",
      "1/2 + 1/4 = 3/4", "2 hours * 60 = 120 minutes", "48 = 48 + 24 = 72",
      "He buys 2 apples - 5 * 3 = 15 in all", "12 * 4 = 48 - which is a lot",
    ])
  func holding(text: String) {
    let equations = StatedArithmetic.equations(in: text)
    #expect(!equations.isEmpty && equations.allSatisfy(\.holds), "\(equations)")
  }

  @Test(
    "that does not come out does not hold",
    arguments: [
      ("12 * 4 = 46", "12 * 4", "46"), ("<<12*4=46>>46", "12 * 4", "46"),
      ("5 x 3 = 16", "5 * 3", "16"), ("$3 + $4 = $8", "$3 + $4", "$8"),
      ("3 + 4 + 5 = 13", "3 + 4 + 5", "13"), ("1,000 * 2 = 2,001", "1000 * 2", "2001"),
      (
        "40 cups per chicken * 20 chickens = 80 cups", "40 cups per chicken * 20 chickens",
        "80 cups"
      ),
      ("10 / 4 = 2.4", "10 / 4", "2.4"), ("10 / 3 = 3.4", "10 / 3", "3.4"),
      ("20% of 50 = 12", "20% of 50", "12"), ("(2 + 3) * 4 = 14", "( 2 + 3 ) * 4", "14"),
      ("She has 3. 4 * 5 = 21. Then", "4 * 5", "21"), ("x 3 + 2 = 6", "3 + 2", "6"),
      ("B = (5 + 3 - 4) = 5", "( 5 + 3 - 4 )", "5"),
      ("(5 + 3 - -2 * 2) = 4", "( 5 + 3 - - 2 * 2 )", "4"),
      ("(-16 - 6 + 0) = (-22 + 0) = -21", "( - 22 + 0 )", "- 21"),
      ("12 plus 4 equals 17", "12 + 4", "17"), ("12 + 4 is equal to 17", "12 + 4", "17"),
      ("12 + 4 is 17", "12 + 4", "17"), ("20% of 50 is 12", "20% of 50", "12"),
      (#"\frac{12}{4} = 4"#, "( ( 12 ) / ( 4 ) )", "4"), ("17 = 12 + 4", "17", "12 + 4"),
      ("so 17 = 12 + 4", "17", "12 + 4"), ("7 * 8 = 56 = 7 * 9", "56", "7 * 9"),
      ("5! = 100", "5 !", "100"), ("4! / 3 = 9", "4 ! / 3", "9"),
      ("2^5 = 36", "2 ^ 5", "36"), ("3^2 + 1 = 11", "3 ^ 2 + 1", "11"),
      ("25/100 = 1/5", "25 / 100", "1 / 5"), ("1/2 + 1/4 = 2/6", "1 / 2 + 1 / 4", "2 / 6"),
      ("3 hours * 60 minutes = 200 minutes", "3 hours * 60 minutes", "200 minutes"),
      ("3 + 4 = 2 + 6", "3 + 4", "2 + 6"), ("10-3=6", "10 - 3", "6"),
    ])
  func failing(text: String, left: String, chosen: String) {
    let failing = StatedArithmetic.equations(in: text).filter { !$0.holds }
    #expect(
      !failing.isEmpty && failing.allSatisfy { $0.left == left && $0.right == chosen },
      "\(failing)")
  }

  @Test(
    "is not read into dates, ranges, ratios, unknowns, units and what else is none",
    arguments: [
      "12/24/1937 = Christmas Eve", "It was 12/24/1937", "5-10 minutes * 3 = 15-30 minutes",
      "3:1 = 9:3", "3:00 + 2 = 5:00", "10 + 3 = 1 pm", "2x + 3 = 13", "x + 3 = 5", "3 + y = 5",
      "x = 5", "5 + 2 = x", "5 = 5", "2^3 + 1 = 9", "2**3 + 1 = 9", "3! + 1 = 7", "5 + 3! = 11",
      "2 1/2 * 4 = 10", "1/2 hour = 30 minutes", "2 hours + 30 minutes = 150 minutes",
      "75 cents + $1 = $1.75", "1/4 of the class = 5 students", "half of 50 + 10 = 35",
      "twice 5 + 3 = 13", "3 + 4 == 8", "3 + 4 >= 6", "3 + 4 != 8", "5 > 3", "a = b + c",
      "She has 3 - 4 of them", "7 / 0 = 0", "5 # 3 = 3", "2(3 + 4) = 14", "Ann = 3 + 4", "", "=",
      "3 +",
      "= 5", "1/3 cup = 5 tablespoons", "3 + 4 = 7x", "√4 + 1 = 3",
      "Day 3 = 5 + 4", "4 pounds of candy = 12 pounds", "4/7 of it equals $24", "4/7 is $24",
      "2x - 10 = 60",
      "f(3 + 4) = 10", "log(3 + 4) = 2", "1% = 133 / 7", "1 pair of socks = 2 * 3",
      "3 cm^2 = 5 + 1", "5 is 2 + 1",
      "It is 3 - 4 years old", "x^2 + 1 = 5",
    ])
  func none(text: String) {
    #expect(StatedArithmetic.equations(in: text).filter { !$0.holds }.isEmpty)
  }

  @Test(
    "is read to a bounded depth, in a time that grows with the length alone",
    arguments: [
      "(", "((1)", "(1+", "1 + ", "- ", "2^", "1 = ", "(1) = ", "3 pens + ", "1)", #"\frac{"#,
      "1 is ",
    ])
  func hostile(unit: String) {
    let start = ContinuousClock.now
    _ = StatedArithmetic.equations(
      in: String(repeating: unit, count: 20_000 / unit.utf8.count) + "= 3")
    #expect(ContinuousClock.now - start < .seconds(5))
    let nested = String(repeating: "(", count: 1000) + "1 + 1" + String(repeating: ")", count: 1000)
    #expect(StatedArithmetic.equations(in: "\(nested) = 3").isEmpty)
    let shallow = String(repeating: "(", count: 40) + "1 + 1" + String(repeating: ")", count: 40)
    #expect(StatedArithmetic.equations(in: "\(shallow) = 3").map(\.holds) == [false])
  }

  @Test("holds modulo what the question says, where it says so")
  func modulus() {
    #expect(StatedArithmetic.equations(in: "3 * 4 = 5", modulus: 7).map(\.holds) == [true])
    #expect(StatedArithmetic.equations(in: "2 - 4 = 5", modulus: 7).map(\.holds) == [true])
    #expect(StatedArithmetic.equations(in: "3 * 4 = 6", modulus: 7).map(\.holds) == [false])
    #expect(StatedArithmetic.equations(in: "3 * 4 = 5").map(\.holds) == [false])
  }

  private func pair(
    _ prompt: String, _ chosen: String, _ rejected: String, task: String = "unnamed"
  )
    -> DualChainOfThought
  {
    func chain(_ text: String, _ isCorrect: Bool) -> ChainOfThought {
      ChainOfThought(
        questionID: "1", task: task, prompt: prompt, text: text, isCorrect: isCorrect,
        origin: .recorded)
    }
    return DualChainOfThought(
      chosen: chain(chosen, true), rejected: chain(rejected, false), goldAnswer: nil)
  }

  @Test("that fails on the wrong side alone is a calculation mistake, all else unknown")
  func guesses() {
    let prompt = "Q: How many?\nA:"
    #expect(pair(prompt, "3 * 4 = 12", "3 * 4 = 13").guessedMistake == .calculation)
    #expect(pair(prompt, "3 * 4 = 12", "3 + 4 = 7").guessedMistake == .unknown)
    // A way of writing that both sides share is not where they part.
    #expect(pair(prompt, "9 + 9 = 9; 12", "9 + 9 = 9; 13").guessedMistake == .unknown)
    let modular = "Q: ( 3 * 4 ) + 2 mod 7\nA:"
    #expect(pair(modular, "3 * 4 = 5", "3 + 4 = 0").guessedMistake == .unknown)
    #expect(pair(modular, "3 * 4 = 5", "3 * 4 = 6").guessedMistake == .calculation)
    let walk = "Q: start 3 6 ; up 2 ; where\nA:"
    #expect(
      pair(walk, "up 2 ; y 6 + 2 = 1 ; now 3 1", "up 2 ; y 6 + 2 = 2 ; now 3 2", task: "navigation")
        .guessedMistake == .calculation)
    #expect(
      pair(walk, "up 2 ; y 6 + 2 = 1 ; now 3 1", "up 2 ; x 3 - 2 = 1 ; now 1 6", task: "navigation")
        .guessedMistake == .unknown)
  }
}
