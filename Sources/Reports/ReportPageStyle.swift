extension ReportPage {
  /// How the page looks, beside the style that pages share.
  static let style = #"""
    :root { --c0: #0b57d0; --c1: #a13d00; --c2: #05623b; --c3: #8a1c7c; --c4: #5c5c64; --c5: #7a5b00; }
    @media (prefers-color-scheme: dark) {
      :root { --c0: #a8c7fa; --c1: #ffb68a; --c2: #6fd6a3; --c3: #f0a6e6; --c4: #c4c4cc;
        --c5: #e6c55c; } }
    html { scroll-behavior: smooth; }
    h1 { font-size: 1.5rem; line-height: 1.25; max-width: 50rem; }
    h2 { font-size: 1.25rem; margin: 0 0 .5rem; }
    h3 { font-size: 1rem; margin: 1rem 0 .25rem; }
    h4, h5 { font-size: .9rem; margin: .75rem 0 .25rem; }
    h5 span { font-weight: 400; }
    summary h3, summary h4 { display: inline; margin: 0; }
    summary { cursor: pointer; padding: .25rem 0; }
    details { margin: .25rem 0 .5rem; }
    section { border-top: 1px solid var(--line); padding: 1rem 0; scroll-margin-top: .5rem; }
    p, li { max-width: 50rem; }
    ul { padding-left: 1.25rem; }
    code { overflow-wrap: anywhere; font-size: .875em; }
    .name { margin: 0; color: var(--faint); overflow-wrap: anywhere; }
    nav ol { list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding: 0;
      margin: .75rem 0; }
    .skip { position: absolute; left: -100rem; }
    .skip:focus { position: static; }
    .answer { font-size: 1.15rem; overflow-wrap: anywhere; }
    .legend { list-style: none; padding: 0; margin: .25rem 0 .5rem; font-size: .875rem; }
    .legend li { display: inline-block; margin-right: 1.25rem; }
    .panels { display: grid; gap: 1rem 1.5rem; align-items: start;
      grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); }
    .panels.small { grid-template-columns: repeat(auto-fill, minmax(min(100%, 17rem), 1fr)); }
    figure { margin: 0; }
    figcaption { font-size: .875rem; color: var(--faint); max-width: 50rem; margin: .25rem 0; }
    svg { display: block; width: 100%; height: auto; max-width: 30rem; overflow: visible; }
    svg.key { display: inline-block; width: auto; vertical-align: middle; }
    svg text { font-size: 11.5px; fill: var(--ink); stroke: var(--paper); stroke-width: 3px;
      paint-order: stroke; }
    svg .small { font-size: 10.5px; fill: var(--faint); }
    svg .strong { font-weight: 700; }
    svg .figures { font-variant-numeric: tabular-nums; }
    svg path { fill: none; stroke: var(--ink); }
    svg .grid { stroke: var(--line); }
    svg .zero { stroke: var(--ink); stroke-dasharray: 2 2; }
    svg .axis { stroke: var(--faint); }
    svg .margin { fill: var(--line); }
    svg .back { fill: var(--paper); }
    svg .interval { stroke-width: 1.75; }
    svg .better { stroke: var(--right); }
    svg .worse { stroke: var(--wrong); }
    svg .point { fill: var(--paper); stroke-width: 1.5; }
    svg .point.better { fill: var(--right); }
    svg .point.worse { fill: var(--wrong); }
    svg .curve, svg .bar { stroke-width: 1.5; }
    svg .c0 { stroke: var(--c0); } svg .c1 { stroke: var(--c1); } svg .c2 { stroke: var(--c2); }
    svg .c3 { stroke: var(--c3); } svg .c4 { stroke: var(--c4); } svg .c5 { stroke: var(--c5); }
    svg .curve.c1 { stroke-dasharray: 6 2; } svg .curve.c2 { stroke-dasharray: 2 2; }
    svg .curve.c3 { stroke-dasharray: 8 2 2 2; } svg .curve.c4 { stroke-dasharray: 4 4; }
    svg .curve.c5 { stroke-dasharray: 1 3; }
    svg .band { stroke: none; opacity: .2; }
    svg .band.c0 { fill: var(--c0); } svg .band.c1 { fill: var(--c1); }
    .table { overflow-x: auto; margin: .5rem 0 1rem; max-width: 100%; }
    table { border-collapse: collapse; font-size: .8125rem; }
    caption { text-align: left; font-weight: 700; padding-bottom: .25rem; }
    th, td { padding: .2rem .6rem; border-bottom: 1px solid var(--line); text-align: left;
      white-space: nowrap; font-variant-numeric: tabular-nums; }
    tbody th { font-weight: 400; }
    .n { text-align: right; }
    .facts dl { display: block; }
    .facts dl div { margin: .1rem 0; }
    .facts dt { min-width: 10rem; }
    .question { border-top: 1px dashed var(--line); padding: .5rem 0 1rem; }
    .question .note { margin: 0; }
    .first mark { color: var(--c0); }
    .second mark { color: var(--c1); text-decoration: underline wavy 1.5px; }
    select { font: inherit; max-width: 100%; color: inherit; background: var(--paper);
      border: 1px solid var(--faint); border-radius: 4px; padding: .2rem .4rem; }
    @media (max-width: 40rem) {
      .facts dl div { display: block; }
    }
    @media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
    @media print {
      :root { color-scheme: light; }
      nav, .choice, .skip { display: none; }
      .table { overflow: visible; } th, td { white-space: normal; }
      figure, .question { break-inside: avoid; }
    }
    """#

  /// Shows the chains of the two arms that are selected, and all details on paper.
  static let script = #"""
    'use strict';
    const select = document.getElementById('pair');
    function show() {
      for (const pair of document.querySelectorAll('details.pair')) {
        pair.hidden = pair.id !== select.value;
        pair.open = !pair.hidden;
      }
    }
    if (select) {
      select.parentElement.hidden = false;
      select.addEventListener('change', show);
      show();
    }
    addEventListener('beforeprint', () => {
      for (const part of document.querySelectorAll('details:not([hidden])')) part.open = true;
    });
    """#
}
