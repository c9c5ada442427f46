import Foundation
import Reasoning
import Testing

@Suite struct StatedAnswerTests {
  /// A response, its gold answer and whether the one states the other.
  typealias Case = (response: String, gold: String, isCorrect: Bool)

  private func expect(_ item: Case, task: String = "unnamed", options: [Question.Option] = []) {
    let rule = AnswerRule.usual(forTask: task).matching(.flexible)
    let reading = rule.read(item.response, gold: item.gold, options: options)
    #expect(
      reading.isCorrect == item.isCorrect,
      "\(item.response.debugDescription) with gold \(item.gold) was read as \(reading.answer ?? "nil")"
    )
  }

  @Test("An answer is found after a cue, in a box, or without either", arguments: placesCases)
  func places(item: Case) {
    expect(item)
  }

  // The type is written out as the compiler takes long to infer it.
  static let placesCases: [Case] = [
    // On the line after the cue.
    ("The answer is:\n18", "18", true), ("the answer is:\n\n**6**", "6", true),
    ("Final answer:\n\n$24$", "24", true), ("**Final Answer:**\n\n30 minutes", "30", true),
    ("### Answer\n\n45", "45", true), ("Answer:\n\n- 45", "45", true),
    ("The final answer is as follows:\n\n112", "112", true),
    ("The answer is:\n\n\\[\n\\boxed{9}\n\\]", "9", true),
    ("**Answer**: 31", "31", true), ("**Answer:** 31", "31", true),
    ("__Answer:__ 31", "31", true), ("*Answer*: 31", "31", true),
    ("Answer - \n12\nAnswer: 13", "13", true), ("ANSWER: 31", "31", true),
    ("The answer is\n31", "31", true), ("My final answer: 31 pens", "31", true),
    ("The answer to the question is 31.", "31", true),
    ("The answer to this problem would be 31.", "31", true),
    ("The correct answer should be 31", "31", true), ("The answer comes out to 31.", "31", true),
    ("The answer must be 31", "31", true), ("So our answer = 31", "31", true),
    ("The answer (in dollars) is 31.", "31", true), ("Final answer -> 31", "31", true),
    ("The answer is therefore 31.", "31", true), ("The answer is simply 31.", "31", true),
    ("The answer is $$31$$", "31", true), ("The answer is \"31\".", "31", true),
    ("The answer is `31`", "31", true), ("The answer is: \\(x = 31\\)", "31", true),
    // In a box or tag.
    ("\\boxed{17}", "17", true), ("We find \\boxed{17} from 20 - 3.", "17", true),
    ("\\[ \\boxed{17} \\]\nThis took 3 steps.", "17", true), ("$\\fbox{17}$", "17", true),
    ("\\boxed{x = 17}", "17", true), ("\\boxed{\\$17.50}", "17.5", true),
    ("\\boxed{17\\%}", "17", true), ("\\boxed{17\\text{ cm}}", "17", true),
    ("\\boxed{\\mathbf{17}}", "17", true), ("\\boxed{1{,}700}", "1700", true),
    ("\\boxed{1,700}", "1700", true), ("\\boxed{1\\,700}", "1700", true),
    ("\\boxed{16}. No, I missed one. \\boxed{17}", "17", true),
    ("\\boxed{16}. No, I missed one. \\boxed{17}", "16", false),
    ("\\boxed{17}. So the answer comes from adding 12 and 5.", "17", true),
    ("\\boxed{\\frac{3}{8}}", "3/8", true), ("\\boxed{\\frac38}", "0.375", true),
    ("\\boxed{-\\dfrac{3}{8}}", "-3/8", true), ("\\boxed 17", "17", true),
    ("<answer>17</answer>", "17", true), ("<answer> 17 pens </answer>\n30", "17", true),
    ("<think>It may be 12.</think>\n\n17", "17", true),
    ("<think>\\boxed{12}</think> The answer is 17.", "12", false),
    ("<think>The answer is 17.</think>", "17", true),
    // Several statements, questions and conditions.
    ("The answer is 20. Wait, I counted one twice. The answer is 19.", "19", true),
    ("The answer is 20. Wait, I counted one twice. The answer is 19.", "20", false),
    ("Is the answer 20? No. The answer is 19.", "19", true),
    ("The answer is 20? No, it has to be 19.", "20", false),
    ("The answer is 19. If the answer is 20, then one was counted twice.", "19", true),
    ("The answer is 19, and the answer is not 20.", "19", true),
    ("The answer is not 20.", "20", false), ("The answer isn't 20.", "20", false),
    ("The answer is not 20 but 19.", "19", true), ("The answer is not 20, but 19.", "20", false),
    ("The answer can't be 20.", "20", false),
    ("Final answer: 19\nConfidence: 90%", "19", true), ("19\nConfidence: 90%", "19", true),
    ("#### 19\n\nI hope that helps in 2024.", "19", true), ("####19", "19", true),
    ("The answer is 19. I checked it 2 times.", "19", true),
    // Continued with another question.
    ("The answer is 19.\n\nQ: Tim has 3 kites.\nA: The answer is 3.", "19", true),
    ("The answer is 19.\n\nQ: Tim has 3 kites.\nA: The answer is 3.", "3", false),
    ("The answer is 19.\n\nQuestion 2: Tim has 3 kites. Answer: 3", "19", true),
    ("The answer is 19. Question: Tim has 3 kites. Answer: 3", "19", true),
    ("She has 19 kites.\n\nQ: Tim has 3 kites.\nA: 3", "19", true),
    ("19\n\nProblem: Tim has 3 kites.\nAnswer: 3", "19", true),
    ("The answer is 19.\nUser: thanks\nAssistant: The answer is 3.", "19", true),
    ("The answer is 19.<|im_end|>\nThe answer is 3.", "19", true),
    ("Q: How many kites are there?\nA: The answer is 19.", "19", true),
    // Other languages.
    ("答案是19。", "19", true), ("所以答案为19个，用了3天。", "19", true), ("Antwort: 19", "19", true),
    ("La respuesta es 19.", "19", true), ("Réponse : 19", "19", true), ("答え：19", "19", true),
    ("Ответ: 19", "19", true), ("答案：C", "C", true), ("故选C。", "C", true),
    // Nothing, or nothing yet.
    ("", "19", false), ("   \n", "19", false), ("The answer is", "19", false),
    ("", "yes", false), ("", "(A)", false), ("", "apple", false),
    ("The answer is 19", " ", false),
    ("", "", false), ("\n", " ", false),
  ]

  @Test("Numbers are compared by value, however they are written", arguments: numbersCases)
  func numbers(item: Case) {
    expect(item)
  }

  // The type is written out as the compiler takes long to infer it.
  static let numbersCases: [Case] = [
    // Grouping and decimals.
    ("The answer is 12,500.", "12500", true), ("The answer is 12 500 euros.", "12500", true),
    ("The answer is 12\u{2009}500.", "12500", true),
    ("The answer is 12\u{202F}500.", "12500", true),
    ("The answer is 12{,}500.", "12500", true), ("The answer is $12\\,500$.", "12500", true),
    ("The answer is 1 250 000", "1,250,000", true), ("The answer is 12'500", "12500", true),
    ("The answer is 12_500", "12500", true), ("The answer is 1.250.000", "1250000", true),
    ("The answer is 12,50,000", "1250000", true), ("The answer is 4,25.", "4.25", true),
    ("The answer is 4,25.", "425", false), ("The answer is 4,25.", "4", false),
    ("The answer is 1.250,75", "1250.75", true), ("The answer is 0.50", "1/2", true),
    ("The answer is 12.0", "12", true), ("The answer is 12.00000000000001", "12", true),
    ("The answer is 12.01", "12", false), ("The answer is 007.", "7", true),
    ("The answer is 12.5.", "12", false), ("The answer is .75", "3/4", true),
    ("The answer is 12345678901234567891", "12345678901234567890", false),
    ("The answer is １２.", "12", true), ("The answer is ۱۲", "12", true),
    // Signs.
    ("The answer is negative 12.", "-12", true), ("The answer is minus 12.", "-12", true),
    ("The answer is negative 12.", "12", false), ("The answer is −12", "-12", true),
    ("The answer is –12", "-12", true), ("The answer is - 12", "-12", true),
    ("The answer is -€12", "-12", true), ("The answer is $-12", "-12", true),
    ("The answer is +12", "12", true), ("The answer is ±12", "12", false),
    ("The answer is \\pm 12", "12", false), ("The answer is -12", "12", false),
    // Fractions.
    ("The answer is 3/8.", "0.375", true), ("The answer is \\tfrac{3}{8}", "3/8", true),
    ("The answer is 6/16.", "3/8", true), ("The answer is 3/8.", "3", false),
    ("The answer is 3/8.", "8", false), ("The answer is ⅜.", "3/8", true),
    ("The answer is 2 3/8 inches.", "2.375", true), ("The answer is 2 3/8.", "2", false),
    ("The answer is 2\\frac{3}{8}.", "19/8", true), ("The answer is 2½ hours.", "2.5", true),
    ("The answer is 2-3/8", "2.375", true), ("The answer is 2 and 3/8", "2.375", true),
    ("The answer is two and a half.", "2.5", true), ("The answer is -3/8", "-0.375", true),
    ("The answer is 0.333.", "1/3", true), ("The answer is 0.3.", "1/3", false),
    ("The answer is 0.666667", "\\frac{2}{3}", true),
    ("The answer is 3/8 of the cake.", "3/8", true),
    ("The answer is \\frac{3}{8}", "\\frac{3}{7}", false),
    ("The answer is three eighths.", "3/8", true),
    ("The answer is 0.67", "2/3", false),
    // Percentages and money.
    ("The answer is 40%.", "40", true), ("The answer is 40\\%", "40%", true),
    ("The answer is 40 per cent", "40", true), ("The answer is 0.4", "40%", true),
    ("The answer is 40 %", "0.4", true), ("The answer is forty percent", "40%", true),
    ("The answer is $1,250.50.", "1250.5", true), ("The answer is US$40", "40", true),
    ("The answer is USD 40", "40", true), ("The answer is Rs. 40", "40", true),
    ("The answer is ₹40", "40", true), ("The answer is 40 dollars.", "$40", true),
    ("The answer is \\$40", "40", true), ("The answer is 40$", "40", true),
    ("The answer is 4 dollars and 25 cents.", "4.25", true),
    ("The answer is 25 cents", "0.25", true),
    ("The answer is 25 cents", "25", true), ("The answer is $4 and 25 cents", "4", false),
    // Units.
    ("The answer is 40 km/h.", "40", true), ("The answer is 40km", "40", true),
    ("The answer is 40 m^2", "40", true), ("The answer is 40 cm²", "40", true),
    ("The answer is 40 square feet.", "40", true), ("The answer is 40°", "40", true),
    ("The answer is 40^\\circ", "40", true), ("The answer is 40th", "40", true),
    ("The answer is 40-mile", "40", true), ("The answer is 40", "40 miles", true),
    ("The answer is $40$ \\text{miles}", "40 \\text{ miles}", true),
    ("The answer is 2 hours and 30 minutes.", "2.5", true),
    ("The answer is 2 hours and 30 minutes.", "150", true),
    ("The answer is 2 hours and 30 minutes.", "2", false),
    // Large and scientific numbers.
    ("The answer is 2.5 million.", "2500000", true), ("The answer is 4 million.", "4", false),
    ("The answer is 4 thousand people", "4000", true),
    ("The answer is $3.2 billion", "3200000000", true),
    ("The answer is 15k", "15000", true), ("The answer is 2.5e3", "2500", true),
    ("The answer is 2.5E+3", "2500", true), ("The answer is 2.5 × 10^3", "2500", true),
    ("The answer is $2.5 \\times 10^{3}$", "2500", true),
    ("The answer is 2.5 x 10^3", "2500", true),
    ("The answer is 4 \\cdot 10^{-2}", "0.04", true), ("The answer is 10³", "1000", true),
    ("The answer is 2.5 × 10^3", "2.5", false), ("The answer is 2500", "2.5 \\times 10^3", true),
    ("The answer is 3 dozen", "36", true),
    // Powers, roots and π.
    ("The answer is 3^4.", "81", true), ("The answer is 3^4.", "3", false),
    ("The answer is 3**4.", "81", true), ("The answer is 3^{4}", "3^4", true),
    ("The answer is 2\\sqrt{3}", "2\\sqrt{3}", true), ("The answer is 2√3", "2\\sqrt{3}", true),
    ("The answer is \\sqrt{12}", "2\\sqrt{3}", true), ("The answer is 2\\sqrt{3}", "2", false),
    ("The answer is 3.464", "2\\sqrt{3}", true), ("The answer is 4\\pi", "4π", true),
    ("The answer is 4\\pi", "4", false), ("The answer is \\frac{\\pi}{4}", "π/4", true),
    // In words.
    ("The answer is twelve.", "12", true), ("The answer is twenty-five.", "25", true),
    ("The answer is twenty five pens.", "25", true), ("The answer is a hundred.", "100", true),
    ("The answer is one hundred and five.", "105", true),
    ("The answer is two thousand three hundred", "2300", true),
    ("The answer is Zero.", "0", true), ("The answer is half.", "1/2", true),
    ("The answer is a dozen.", "12", true), ("The answer is three million", "3000000", true),
    ("The answer is 12", "twelve", true), ("The answer is thirteen.", "12", false),
    ("She has seven kites.", "7", true),
    // What only begins with the number.
    ("The answer is 4:45 PM.", "4", false), ("The answer is 4:45.", "4", false),
    ("The answer is 4 PM.", "4", false), ("The answer is 4:5.", "4", false),
    ("The answer is 4x + 1.", "4", false), ("The answer is 4x", "4", false),
    ("The answer is 4 or 5.", "4", false), ("The answer is 4-5 days.", "4", false),
    ("The answer is 4 to 5 days.", "4", false), ("The answer is between 4 and 5.", "4", false),
    ("The answer is 4, 5.", "4", false), ("The answer is (4, 5).", "4", false),
    ("The answer is [4, 5].", "4", false), ("The answer is 4/5/2021.", "4", false),
    ("The answer is 2021-04-05.", "2021", false), ("The answer is > 4.", "4", false),
    ("The answer is x > 4.", "4", false), ("The answer is 4.5.6", "4.5", false),
    ("The answer is 4(x + 1).", "4", false), ("The answer is 4i.", "4", false),
    // Calculations.
    ("The answer is 6 * 7 = 42.", "42", true), ("The answer is 6 * 7 = 42.", "6", false),
    ("The answer is 42 = 6 * 7.", "42", true), ("The answer is 42 (6 * 7 = 42).", "42", true),
    ("The answer is 42, because 6 * 7 = 42 and 42 + 1 = 43.", "42", true),
    ("The answer is 42, as 40 + 2 = 42 and 40 + 3 = 43.", "43", false),
    ("The answer is 42, not 6 * 8 = 48.", "48", false),
    ("The answer is 6 + 7 which is 13.", "13", true),
    ("The answer is 50 - 8 = 42 pens.", "42", true),
    ("The answer is $50 - $8 = $42.", "42", true),
    ("The answer is (50 - 8) / 2 = 21.", "21", true), ("The answer is 6 × 7 = 42", "42", true),
    ("The answer is x = 6 * 7 = 42.", "42", true),
    ("The answer is 3 pens * 14 = 42 pens.", "42", true),
    ("Answer: B) 42", "42", true), ("Answer: (C) 42", "42", true),
    // Without a cue.
    ("She has 42 pens.", "42", true), ("She has 42 pens left after 6 days.", "42", true),
    ("She needs 42 packs to last 30 days.", "42", true),
    ("After 6 days she has 42 pens.", "42", true),
    ("6 * 7 = 42", "42", true), ("There are 6 rows of 7, so there are 42 seats.", "42", true),
    ("It is 42, since 6 * 7 = 42 and 42 + 1 = 43.", "42", true),
    ("She buys 6 for $7, so she pays $42 in all.", "42", true),
    ("The total comes to 42.", "42", true), ("She paid $42 for 6 tickets.", "42", true),
    ("In 6 days at 7 a day she reads 42 pages.", "42", true), ("42", "42", true),
    ("**42**", "42", true),
    ("There were 50 at first. 8 left. Now there are 42.", "42", true),
    ("It is not 42.", "42", false),
    ("Step 1: 6 * 7 = 42\nStep 2: 42 + 8 = 50", "50", true),
  ]

  @Test("Labels of options are the ones that are stated, not mentioned", arguments: labelsCases)
  func labels(item: Case) {
    expect(item)
  }

  // The type is written out as the compiler takes long to infer it.
  static let labelsCases: [Case] = [
    ("The answer is (C).", "(C)", true), ("The answer is C.", "(C)", true),
    ("The answer is c)", "(C)", true), ("The answer is C)", "C", true),
    ("The answer is **C**.", "C", true), ("The answer is **(C)**", "(C)", true),
    ("The answer is (**C**)", "(C)", true), ("The answer is \\textbf{(C)}", "C", true),
    ("The answer is $\\boxed{C}$", "(C)", true), ("\\boxed{\\text{(C)}}", "C", true),
    ("The answer is option C.", "(C)", true), ("The answer is Option (C)", "(C)", true),
    ("The answer is (Option C)", "(C)", true), ("The correct choice is C", "C", true),
    ("The correct option is (C) because (A) is too small.", "C", true),
    ("The answer is (C) a violin.", "C", true), ("The answer is C: a violin", "C", true),
    ("The answer is C. A violin has strings.", "C", true),
    ("The answer is C - a violin", "C", true),
    ("Answer: C", "C", true), ("Answer: c", "C", true), ("Answer:\nC", "C", true),
    ("Answer: C\n\nA violin has strings.", "C", true), ("The answer is:\n\n**C**", "C", true),
    ("The answer is:\n\n(C) a violin", "(C)", true), ("The answer is Ｃ", "C", true),
    // A label in parentheses later does not count.
    ("The answer is C (since (A) has no strings).", "C", true),
    ("The answer is C (since (A) has no strings).", "A", false),
    ("The answer is C. Option (A) has no strings.", "A", false),
    ("The answer is C because of rule (B).", "C", true), ("Answer: C, see step (2).", "C", true),
    ("The answer is C, and (A) is its opposite.", "C", true),
    // Hedges and several labels.
    ("The answer is (A) and (C).", "(A) (C)", true), ("The answer is A and C.", "AC", true),
    ("The answer is A, C.", "AC", true), ("The answer is AC", "(A) (C)", true),
    ("The answer is A, B, and D.", "ABD", true), ("The answer is AC.", "ABC", false),
    ("The answer is C or D.", "C", false), ("The answer is (C)/(D)", "(C)", false),
    ("The answer is either C or D", "D", false), ("The answer is both A and C", "AC", true),
    // Negations.
    ("The answer is not (C).", "(C)", false), ("The answer is not C but D.", "D", true),
    ("The answer is not C but D.", "C", false), ("The answer isn't (C), but (D).", "(D)", true),
    ("The answer is (D), not (C).", "(D)", true), ("The answer is (D), not (C).", "(C)", false),
    ("The answer cannot be (C).", "(C)", false),
    // Words that are no labels.
    ("The answer is a string instrument: C.", "C", true),
    ("The answer is group A vitamins, so C.", "C", true),
    ("The answer is a violin.", "A", false), ("I think it is a violin.", "I", false),
    ("The answer is vitamin D, (B).", "D", false),
    ("The answer is type A, thus (B).", "A", false),
    ("I don't know.", "A", false), ("The answer is unknown.", "A", false),
    // Without a cue.
    ("C", "(C)", true), ("C.", "C", true), ("(C)", "C", true), ("**C**", "C", true),
    ("C) a violin", "C", true), ("(C) a violin, because (A) has no strings", "C", true),
    ("(A) has no strings, so (C).", "C", true), ("(A) has no strings, so (C).", "A", false),
    ("(A) is wrong. (B) is wrong. (C) is right.", "C", true),
    ("(C) is correct. (A) is wrong, (B) contradicts the clue.", "C", true),
    ("Option C is the best answer, unlike option A.", "C", true),
    ("I would choose C.", "C", true), ("It must be (C).", "C", true), ("So, C.", "C", true),
    ("(C) is impossible.", "C", false), ("C is not correct.", "C", false),
    ("Not (C).", "C", false),
    ("A. Wait, the strings are missing, so C.", "C", true),
    ("Only option B is correct.", "B", true),
    // Digits.
    ("The answer is (4).", "(4)", true), ("The answer is 4.", "(4)", true),
    ("The answer is option 4", "(4)", true), ("The answer is 3, not 4", "(4)", false),
  ]

  private static let instruments = [
    Question.Option(label: "A", text: "a drum"), Question.Option(label: "B", text: "a bass drum"),
    Question.Option(label: "C", text: "a violin"),
  ]

  @Test(
    "Options are named by their text too, where it names one of them", arguments: optionTextsCases)
  func optionTexts(item: Case) {
    expect(item, options: Self.instruments)
  }

  // The type is written out as the compiler takes long to infer it.
  static let optionTextsCases: [Case] = [
    ("The answer is a violin.", "(C)", true),
    ("The answer is the violin, which has strings.", "C", true),
    ("The answer is a drum.", "(A)", true), ("The answer is a bass drum.", "(B)", true),
    ("The answer is a bass drum.", "(A)", false),
    ("The answer is (C) a violin", "a violin", true),
    ("The answer is a violin or a drum.", "(C)", true), ("The answer is D.", "(C)", false),
    ("It has strings, so it is a violin.", "(C)", true),
    ("The answer is not a violin.", "(C)", false),
    ("A violin", "(C)", true), ("The answer is a harp.", "(C)", false),
  ]

  @Test("Truth values count with their negations", arguments: truthValuesCases)
  func truthValues(item: Case) {
    expect(item)
  }

  // The type is written out as the compiler takes long to infer it.
  static let truthValuesCases: [Case] = [
    ("The answer is yes.", "Yes", true), ("The answer is: NO", "no", true),
    ("Answer: **No.**", "no", true),
    ("The answer is\n\nYes", "yes", true), ("\\boxed{\\text{Yes}}", "yes", true),
    ("\\boxed{No}", "yes", false),
    ("The answer is not true.", "False", true), ("The answer is not true.", "True", false),
    ("The answer is not false.", "True", true), ("The answer is untrue.", "False", true),
    ("The argument is not valid.", "invalid", true),
    ("The argument is not deductively valid.", "valid", false),
    ("The argument isn't deductively valid.", "invalid", true),
    ("It is not invalid.", "valid", true),
    ("The answer is deductively valid.", "valid", true),
    ("The answer is valid.", "invalid", false),
    ("The answer is plausible.", "yes", true), ("The answer is implausible.", "no", true),
    ("The answer is that it isn't plausible.", "no", true),
    ("The answer is correct.", "yes", true),
    ("The answer is incorrect.", "yes", false), ("The answer is true.", "yes", true),
    ("The answer is no.", "False", true),
    // The first word against the last one.
    ("Yes, although some say no.", "yes", true), ("No, since yes would need more.", "no", true),
    ("Yes. No clue speaks against it.", "yes", true),
    ("No. He said yes to the first one.", "no", true),
    ("No. Wait, he turned twice. So yes.", "yes", true),
    ("He turned twice. So yes.", "yes", true),
    ("He went back to the start, so the answer is Yes", "yes", true),
    ("The answer is yes, no doubt.", "yes", true),
    ("The answer is no, as yes would need rain.", "yes", false),
    ("not ( True ) and True = False and True = False", "False", true),
    ("The answer is True and False = False.", "False", true),
    // Hedges, and neither.
    ("The answer is yes and no.", "yes", false), ("The answer is yes/no.", "no", false),
    ("The answer is either yes or no.", "no", false),
    ("The answer is true or false.", "True", false),
    ("The answer is unclear.", "no", false),
    ("The answer cannot be determined, no clue helps.", "no", false),
    ("Therefore, the answer (Yes or No) is Yes.", "yes", true),
    ("Therefore, the answer (Yes or No) is Yes.", "no", false),
    ("The answer (yes or no) is: no", "no", true), ("No answer.", "no", false),
    ("The coin is heads up. The answer is heads.", "yes", false),
    ("The answer is right.", "yes", true), ("The answer is the right one.", "yes", false),
  ]

  @Test("Brackets, words, dates, times and expressions are compared whole", arguments: othersCases)
  func others(item: Case) {
    expect(item, task: item.response.hasPrefix("ans") ? "navigation" : "unnamed")
  }

  // The type is written out as the compiler takes long to infer it.
  static let othersCases: [Case] = [
    ("The answer is } > ]", "} > ]", true), ("The answer is }>].", "} > ]", true),
    ("The answer is:\n\n} > ]", "} > ]", true), ("The answer is ```} > ]```", "} > ]", true),
    ("The answer is } > ] (three brackets).", "} > ]", true),
    ("The answer is } >", "} > ]", false),
    ("The answer is \\} > ]", "} > ]", true), ("We close them: } > ]", "} > ]", true),
    ("The answer is kite lamp moss", "kite lamp moss", true),
    ("The answer is kite, lamp, and moss.", "kite lamp moss", true),
    ("The answer is:\n1. kite\n2. lamp\n3. moss", "kite lamp moss", true),
    ("The answer is:\n- kite\n- lamp\n- moss", "kite lamp moss", true),
    ("The answer is **kite lamp moss**.", "kite lamp moss", true),
    ("The answer is kite moss lamp", "kite lamp moss", false),
    ("The answer is kite lamp moss nest", "kite lamp moss", false),
    ("The answer is kite lamp", "kite lamp moss", false),
    ("The answer is Nina.", "Nina", true), ("The answer is that Nina has it.", "Nina", true),
    ("The answer is: Nina, because she moved last.", "Nina", true),
    ("The answer is Nina or Omar.", "Nina", false),
    ("The answer is Nina and Omar.", "Nina", false), ("The answer is not Nina.", "Nina", false),
    ("The owner is Nina.", "Nina", true), ("Nina", "Nina", true),
    ("The answer is \"the red kite\".", "red kite", true),
    ("The answer is the red kite.", "the red kite", true),
    ("The answer is red", "red kite", false),
    ("The answer is 03/14/2022.", "03/14/2022", true),
    ("The answer is 3/14/2022.", "03/14/2022", true),
    ("The answer is March 14, 2022.", "03/14/2022", true),
    ("The answer is 03/15/2022.", "03/14/2022", false),
    ("The answer is 2022-03-14", "03/14/2022", true),
    ("The answer is 03/14", "03/14/2022", false),
    ("The answer is 4:45 PM.", "4:45 PM", true), ("The answer is 4:45 p.m.", "4:45 PM", true),
    ("The answer is 16:45", "4:45 PM", true), ("The answer is 4:45 AM.", "4:45 PM", false),
    ("The answer is 4:30 PM.", "4:45 PM", false), ("The answer is 4 PM", "4:00 PM", true),
    ("The answer is 4:5.", "4:5", true), ("The answer is 4:6.", "4:5", false),
    ("The answer is 4 : 5", "4:5", true),
    ("The answer is (4, 5).", "(4,5)", true), ("The answer is $(4,5)$", "(4, 5)", true),
    ("The answer is (4, 6).", "(4, 5)", false), ("The answer is 4", "(4, 5)", false),
    ("The answer is \\left(4, 5\\right)", "(4,5)", true), ("The answer is [4, 5)", "[4,5)", true),
    ("The answer is [4, 5)", "[4,5]", false), ("The answer is 2x+7", "2x + 7", true),
    ("The answer is $y = 2x + 7$.", "2x+7", true), ("The answer is 2x + 70", "2x+7", false),
    ("The answer is 2x + 7y", "2x + 7", false), ("The answer is x^2", "x^2", true),
    ("The answer is x^3", "x^2", false),
    ("The answer is $x^{2}$", "x^2", true), ("\\boxed{\\frac{x}{2}}", "x/2", true),
    ("\\boxed{(-\\infty, 3]}", "(-∞,3]", true),
    ("ans 3 5", "3 5", true), ("ans 3 6", "3 5", false),
  ]

  @Test("GSM8K's own marks are cues in its task", arguments: gsm8kCases)
  func gsm8k(item: Case) {
    expect(item, task: "gsm8k")
  }

  // The type is written out as the compiler takes long to infer it.
  static let gsm8kCases: [Case] = [
    ("He has 3 + 4 = 7 kites.\nA: 7", "7", true), ("A:\n7", "7", true),
    ("A: 7\n\nQ: More?\nA: 9", "7", true),
    ("A: 8\nNo.\nA: 7", "7", true), ("Emma: 5\nA: 7", "7", true), ("#### 7", "7", true),
    ("The answer is 7.", "7", true), ("A: $7.00", "7", true),
  ]

  @Test(
    "The time to read a response grows with its length alone",
    arguments: [
      "The answer is ", "answer: ", "\\boxed{", "((((", "1+1+", "(1+", "\\frac{", "1,234 ", "not ",
      "{", "}",
      "A or B, ", "yes no ", "Question: ", "#### ", "the answer (", "\n\n", "5 and ", "2^", "x = ",
      "<answer>",
      "a", "1", "-", "\\sqrt{", "(A) ", "The answer is 5. ", "is ", "= ", "so ", "twenty ",
      "5 pens ", "1 ", "1,", "1,00,", "1,000,",
    ])
  func longResponses(unit: String) {
    // Read in the square of its length, each of these takes minutes.
    let response = String(repeating: unit, count: 8_000 / unit.utf8.count)
    for gold in ["5", "(A)", "yes"] {
      let start = ContinuousClock.now
      _ = AnswerRule.usual(forTask: "unnamed").matching(.flexible).read(response, gold: gold)
      // Generous: the tests run unoptimised, and beside others.
      #expect(ContinuousClock.now - start < .seconds(5), "\(gold)")
    }
  }

  private static let casesFolder = ProcessInfo.processInfo.environment["KEYSTEP_CASES"] ?? ""

  @Test(
    "Cases of a file outside the repository are read as it says",
    .enabled(if: !casesFolder.isEmpty, "KEYSTEP_CASES names the folder of cases"))
  func casesFile() throws {
    let text = try String(
      contentsOfFile: "\(Self.casesFolder)/answers/cases.jsonl", encoding: .utf8)
    for line in text.split(separator: "\n") {
      let fields = try #require(
        try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      let item = Case(
        response: try #require(fields["response"] as? String),
        gold: try #require(fields["answer"] as? String),
        isCorrect: try #require(fields["right"] as? Bool))
      expect(item, task: fields["task"] as? String ?? "unnamed")
    }
  }
}
