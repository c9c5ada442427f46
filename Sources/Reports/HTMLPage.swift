import Files
import Foundation

/// A page for the browser in one file: nothing is loaded from elsewhere, and no script runs but its own.
struct HTMLPage {
  /// As text.
  var title: String
  /// Beside the style that all pages share.
  var style: String
  var script: String
  var bodyClass: String?
  /// What stands in the body before the script, as HTML.
  var body: String

  var html: String {
    """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta http-equiv="Content-Security-Policy" content="\(policy)">
    <meta name="color-scheme" content="light dark">
    <title>\(HTMLText.escaped(title))</title>
    <style>
    \(Self.sharedStyle)
    \(style)
    </style>
    </head>
    <body\(bodyClass.map { " class=\"\($0)\"" } ?? "")>
    \(body)
    <script>\(script)</script>
    </body>
    </html>

    """
  }

  /// Nothing is loaded, and no script runs but the page's own, whatever the texts in it hold.
  ///
  /// Source: Content Security Policy Level 3, 2.3.1 (hash sources).
  private var policy: String {
    let digits = Array(SHA256.hex(of: script).utf8)
    let bytes = stride(from: 0, to: digits.count, by: 2).compactMap {
      UInt8(String(decoding: digits[$0...($0 + 1)], as: UTF8.self), radix: 16)
    }
    return "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-"
      + Data(bytes).base64EncodedString() + "'"
  }

  /// Colours in light and in dark, type, facts, chains, and what has the focus.
  private static let sharedStyle = #"""
    :root { color-scheme: light dark; --ink: #1b1b1f; --paper: #fdfdfc; --faint: #5c5c64;
      --line: #d9d9de; --right: #05623b; --wrong: #a3260f; --heat: 214, 120, 0; --focus: #0b57d0; }
    @media (prefers-color-scheme: dark) {
      :root { --ink: #e8e8ec; --paper: #17171a; --faint: #a9a9b4; --line: #3a3a42;
        --right: #6fd6a3; --wrong: #ff9e8a; --heat: 255, 176, 64; --focus: #a8c7fa; } }
    * { box-sizing: border-box; }
    body { margin: 0; padding: 1rem 1rem 4rem; color: var(--ink); background: var(--paper);
      font: 16px/1.5 system-ui, sans-serif; }
    header, main { max-width: 76rem; margin: 0 auto; }
    h1 { font-size: 1.4rem; margin: 0 0 .25rem; }
    h2 span, h3 span { font-weight: 400; color: var(--faint); overflow-wrap: anywhere; }
    a { color: var(--focus); }
    dl { display: flex; flex-wrap: wrap; gap: 0 1.25rem; margin: .25rem 0; font-size: .875rem; }
    dl div { display: flex; gap: .4rem; min-width: 0; }
    dt { color: var(--faint); flex: none; }
    dd { margin: 0; overflow-wrap: anywhere; min-width: 0; }
    .prompt, .chain { white-space: pre-wrap; overflow-wrap: anywhere; }
    .prompt { margin: .5rem 0; color: var(--faint); max-width: 60rem; }
    .sides { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr));
      gap: 1rem; }
    article { min-width: 0; }
    .note { margin: 0 0 .25rem; font-size: .8rem; color: var(--faint); }
    p.chain { margin: 0; padding: .5rem .75rem; border: 1px solid var(--line); border-radius: 6px;
      line-height: 1.9; font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .9rem; }
    mark { background: none; color: inherit; font-weight: 700;
      text-decoration: underline 2px; text-underline-offset: .25em; }
    .right mark { color: var(--right); }
    .wrong mark { color: var(--wrong); text-decoration: underline wavy 1.5px; }
    i { font-style: normal; font-weight: 400; color: var(--faint); font-size: .85em; }
    :focus-visible { outline: 2px solid var(--focus); outline-offset: 1px; }
    """#
}
