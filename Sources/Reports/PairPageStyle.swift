extension PairPage {
  /// How the page looks, in light and in dark.
  static let style = #"""
    :root { color-scheme: light dark; --ink: #1b1b1f; --paper: #fdfdfc; --faint: #6a6a72;
      --line: #d9d9de; --right: #05623b; --wrong: #a3260f; --heat: 214, 120, 0; --focus: #0b57d0; }
    @media (prefers-color-scheme: dark) {
      :root { --ink: #e8e8ec; --paper: #17171a; --faint: #a2a2ad; --line: #3a3a42;
        --right: #6fd6a3; --wrong: #ff9e8a; --heat: 255, 176, 64; --focus: #a8c7fa; } }
    * { box-sizing: border-box; }
    body { margin: 0; padding: 1rem 1rem 4rem; color: var(--ink); background: var(--paper);
      font: 16px/1.5 system-ui, sans-serif; }
    header, main { max-width: 76rem; margin: 0 auto; }
    h1 { font-size: 1.4rem; margin: 0 0 .25rem; }
    h2, h3 { font-size: 1rem; margin: 0; }
    h2 span, h3 span { font-weight: 400; color: var(--faint); overflow-wrap: anywhere; }
    a { color: var(--focus); }
    dl { display: flex; flex-wrap: wrap; gap: 0 1.25rem; margin: .25rem 0; font-size: .875rem; }
    dl div { display: flex; gap: .4rem; min-width: 0; }
    dt { color: var(--faint); flex: none; }
    dd { margin: 0; overflow-wrap: anywhere; }
    .legend { list-style: none; padding: 0; margin: .5rem 0; font-size: .875rem; line-height: 1.8; }
    .legend li { display: inline-block; margin-right: 1.25rem; }
    kbd { font: inherit; font-size: .8rem; border: 1px solid var(--line); border-radius: 3px;
      padding: 0 .3rem; }
    .index ol { columns: 18rem; font-size: .875rem; padding-left: 3rem; }
    section { border-top: 1px solid var(--line); padding: .75rem 0 1rem;
      content-visibility: auto; contain-intrinsic-size: auto 24rem; scroll-margin-top: .5rem; }
    section > h2 { float: left; margin-right: 1rem; }
    nav { text-align: right; font-size: .875rem; min-height: 1.5rem; }
    nav a + a { margin-left: .75rem; }
    section > dl { clear: both; }
    .prompt, .chain { white-space: pre-wrap; overflow-wrap: anywhere; }
    .prompt { margin: .5rem 0; color: var(--faint); max-width: 60rem; }
    .sides { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr));
      gap: 1rem; }
    article { min-width: 0; }
    .note { margin: 0 0 .25rem; font-size: .8rem; color: var(--faint); }
    p.chain { margin: 0; padding: .5rem .75rem; border: 1px solid var(--line); border-radius: 6px;
      line-height: 1.9; font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .9rem; }
    .chain > * { border-radius: 2px; padding: .1em 0; }
    mark { background: none; color: inherit; font-weight: 700;
      text-decoration: underline 2px; text-underline-offset: .25em; }
    .right mark { color: var(--right); }
    .wrong mark { color: var(--wrong); text-decoration: underline wavy 1.5px; }
    .guarded { opacity: .6; }
    .special { font-size: .8em; border: 1px dashed var(--faint); padding: 0 .2em; }
    i { font-style: normal; font-weight: 400; color: var(--faint); font-size: .85em; }
    .s1 { background: rgba(var(--heat), .12); } .s2 { background: rgba(var(--heat), .24); }
    .s3 { background: rgba(var(--heat), .36); } .s4 { background: rgba(var(--heat), .5); }
    .shaded .right mark { color: inherit; text-decoration-color: var(--right); }
    .shaded .wrong mark { color: inherit; text-decoration-color: var(--wrong); }
    .s2 i, .s3 i, .s4 i { color: inherit; }
    :focus-visible { outline: 2px solid var(--focus); outline-offset: 1px; }
    section:focus { outline: none; }
    section:focus > h2 { text-decoration: underline; }
    .chain > :hover, .chain > :focus { outline: 2px solid var(--focus); }
    #token { position: fixed; inset: auto 0 0; padding: .5rem 1rem; background: var(--paper);
      border-top: 1px solid var(--line); font-size: .875rem; min-height: 2.25rem;
      overflow-wrap: anywhere; }
    @media print { #token, nav, .index { display: none; } section { content-visibility: visible; } }
    """#

  /// What keys and pointer do: say what is known of a token, go from token to token and from pair to
  /// pair.
  static let script = #"""
    'use strict';
    const bar = document.getElementById('token');
    const tokenAt = node => node.closest?.('p.chain > *');
    function describe(token) {
      const chain = token.parentElement, tokens = chain.children;
      const isKey = token.localName === 'mark', isGuarded = token.classList.contains('guarded');
      const weight = isGuarded ? 0 : isKey ? chain.dataset.key : chain.dataset.other;
      const parts = [`“${token.textContent.replaceAll('\n', '')}”`,
        `token ${Array.prototype.indexOf.call(tokens, token)} of ${tokens.length}, id ${token.dataset.i}`,
        `${isKey ? 'key token, ' : ''}weight ${weight}${isGuarded ? ' (guarded)' : ''}`];
      const logp = token.dataset.p;
      if (logp !== undefined) {
        parts.push(`log p ${logp.replace('-', '−')} (p ${Math.exp(logp).toPrecision(3)})`);
      }
      bar.textContent = parts.join(' · ');
    }
    document.addEventListener('mouseover', event => {
      const token = tokenAt(event.target);
      if (token) describe(token);
    });
    document.addEventListener('click', event => {
      const token = tokenAt(event.target);
      if (token && getSelection().isCollapsed) focus(token);
    });
    function focus(token) {
      token.tabIndex = -1;
      token.focus();
      describe(token);
    }
    function step(chain, from, direction, onlyKeys) {
      const tokens = [...chain.children];
      let index = from ? tokens.indexOf(from) + direction : direction > 0 ? 0 : tokens.length - 1;
      while (onlyKeys && tokens[index] && tokens[index].localName !== 'mark') index += direction;
      if (tokens[index]) focus(tokens[index]);
    }
    function jump(direction) {
      const pairs = [...document.querySelectorAll('section')];
      const focused = document.activeElement.closest('section');
      const seen = pairs.findIndex(pair => pair.getBoundingClientRect().bottom > 8);
      const isBefore = !focused && pairs[seen]?.getBoundingClientRect().top > 8;
      const next = pairs[(focused ? pairs.indexOf(focused) : isBefore ? seen - 1 : seen) + direction];
      if (!next) return;
      next.scrollIntoView();
      next.focus({preventScroll: true});
      // The heights of pairs that were not yet laid out are known only now.
      requestAnimationFrame(() => next.scrollIntoView());
    }
    document.addEventListener('keydown', event => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const chain = document.activeElement.closest('p.chain');
      const token = tokenAt(document.activeElement);
      const arrows = {ArrowRight: 1, ArrowLeft: -1};
      if (event.key === 'n') jump(1);
      else if (event.key === 'p') jump(-1);
      else if (chain && event.key in arrows) step(chain, token, arrows[event.key], event.shiftKey);
      else if (chain && event.key === 'Home') step(chain, null, 1, false);
      else if (chain && event.key === 'End') step(chain, null, -1, false);
      else return;
      event.preventDefault();
    });
    """#
}
