extension PairPage {
  /// How the page looks, beside the style that pages share.
  static let style = #"""
    h2, h3 { font-size: 1rem; margin: 0; }
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
    .chain > * { border-radius: 2px; padding: .1em 0; }
    .guarded { opacity: .6; }
    .special { font-size: .8em; border: 1px dashed var(--faint); padding: 0 .2em; }
    .s1 { background: rgba(var(--heat), .12); } .s2 { background: rgba(var(--heat), .24); }
    .s3 { background: rgba(var(--heat), .36); } .s4 { background: rgba(var(--heat), .5); }
    .shaded .right mark { color: inherit; text-decoration-color: var(--right); }
    .shaded .wrong mark { color: inherit; text-decoration-color: var(--wrong); }
    .s2 i, .s3 i, .s4 i { color: inherit; }
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
