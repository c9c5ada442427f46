import ChatTemplates
import Files
import Testing

/// What rendering `source` over one user message throws.
private func failure(_ source: String) -> FileError? {
  do throws(FileError) {
    let template = try ChatTemplate(
      source: source, file: "chat.jinja", bosToken: nil, eosToken: nil)
    _ = try template.render(
      [ChatMessage(role: "user", content: "Hello")], addingGenerationPrompt: false)
    return nil
  } catch {
    return error
  }
}

@Suite struct TemplateErrorTests {
  @Test(
    "An error names the template's file, the line, what was expected and what was found",
    arguments: [
      ("a\n{{ message.role }}", "line 2", "\"message\", which is undefined"),
      ("{{ messages[0].tool.name }}", "line 1", "\"tool\", which a dict does not have"),
      ("\n\n{% include 'other' %}", "line 3", "{% include %}"),
      ("{{ 'a' | xmlattr }}", "line 1", "the filter \"xmlattr\""),
      ("{{ 'a' is filterable }}", "line 1", "the test \"filterable\""),
      ("{% if true %}\n{{ 1 }}\n", "line 2", "the end of the template"),
      ("{% for m in messages recursive %}{% endfor %}", "line 1", "\"recursive\""),
      ("{{ 'a' }}\n\n{{ 'a' + 1 }}", "line 3", "a str and an int"),
      ("{{ (1 }}", "line 1", "\"}\""),
      ("{{ 9223372036854775807 + 1 }}", "line 1", "a larger result"),
      ("{{ strftime_now('%Q') }}", "line 1", "\"%Q\""),
      ("{{ messages[0].update({'role': 'system'}) }}", "line 1", "the method \"update\" of a dict"),
      ("{% raw %}", "line 1", "the end of the template"),
      ("{# never closed", "line 1", "the end of the template"),
      ("{% set messages.role = 1 %}", "line 1", "a list"),
      ("{% break %}", "line 1", "it outside of one"),
      ("{{ namespace(_x=1) }}", "line 1", "\"_x\""),
      ("{{ range(100001) | length }}", "line 1", "a longer one"),
    ]) func errors(source: String, line: String, found: String) throws
  {
    let error = try #require(failure(source))
    #expect(error.file == "chat.jinja")
    #expect(error.location == line)
    #expect(error.found == found)
  }

  @Test("raise_exception becomes an error with the template's message")
  func raise() throws {
    let error = try #require(
      failure(
        "{% if messages[0].role != 'system' %}\n{{ raise_exception('No ' + 'system') }}\n{% endif %}"
      ))
    #expect(
      error.description
        == "chat.jinja: line 2: expected messages that the chat template accepts, found \"No system\", which the "
        + "template raises")
  }

  @Test(
    "A template that would not end, would fill the memory or would overflow the stack is stopped",
    arguments: [
      // 10^10 iterations.
      "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
      "{% set ns = namespace(x='ab') %}{% for i in range(100) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
      "{{ 'a' * 9223372036854775807 }}",
      "{{ ('a' * 100000).replace('a', 'b' * 100000) }}",
      "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
      "{% set ns = namespace(x=[]) %}{% for i in range(100000) %}{% set ns.x = [ns.x] %}{% endfor %}",
      "{% set ns = namespace(x=[]) %}{% for i in range(90) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x == ns.x }}",
      "{% set ns = namespace() %}{% set ns.x = ns %}",
      "{{ " + String(repeating: "(", count: 100_000) + "1" + String(repeating: ")", count: 100_000)
        + " }}",
      "{{ 1" + String(repeating: " + 1", count: 100_000) + " }}",
      "{{ " + String(repeating: "not ", count: 100_000) + "1 }}",
      "{{ " + String(repeating: "-", count: 100_000) + "1 }}",
      "{{ [[1, 2, 3], [4, 5, 6]] | tojson(indent=20000000) }}",
      "{% set s = 'a' * 1000000 %}{% for i in range(100000) %}{{ [s] | string is lower }}{% endfor %}",
      "{% set s = 'a' * 1000000 %}{% set t = 'a' * 1000000 %}{% for i in range(100000) %}{{ s == t }}{% endfor %}",
      "{{ (0 - 9223372036854775807 - 1) ** 2 }}",
      "{{ messages" + String(repeating: "[0]", count: 100_000) + " }}",
      String(repeating: "{% if 1 %}", count: 100_000)
        + String(repeating: "{% endif %}", count: 100_000),
      "{{ " + String(repeating: "[", count: 100_000),
    ]) func bounds(source: String)
  {
    #expect(failure(source) != nil)
  }
}
