# Copyright (c) 2026, airgap.images contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The style sheet of a report's page. Pure.

Colours have names, and two values each. Every text has a contrast of at least 4.5 to 1 with what is behind it, and what
marks a control one of 3 to 1 (WCAG 2.2, 1.4.3 and 1.4.11).
"""

from __future__ import annotations

_LIGHT = """
  --page: #f5f6f8; --card: #ffffff; --sunk: #f0f2f5; --ink: #18202c; --soft: #525d6b; --line: #dde1e7;
  --edge: #7d8796;
  --link: #1a56b0; --good: #14663a; --good-back: #e2f3e9; --warn: #855000; --warn-back: #fdf0d8;
  --bad: #a1232c; --bad-back: #fce8e8; --new: #1a56b0; --new-back: #e4edfb; --calm-back: #eaedf1;
  --tile: #d5dbe4; --tile-new: #b9d2f8; --tile-2: #c5e3d2; --tile-3: #ddd0f0;
  --tile-4: #f5cfd2;
  --tile-5: #c3e2ea; --shade: rgba(24, 32, 44, .28);
"""
_DARK = """
  --page: #0f1319; --card: #171c24; --sunk: #1f2630; --ink: #e7ebf1; --soft: #a2adbb; --line: #2b333f;
  --edge: #7b8797;
  --link: #8db8ff; --good: #7dd6a2; --good-back: #143020; --warn: #f1c27a; --warn-back: #38270c;
  --bad: #ffa0a0; --bad-back: #40191c; --new: #9cc2ff; --new-back: #182b4b; --calm-back: #28303c;
  --tile: #2f3947; --tile-new: #1f4680; --tile-2: #1e5138; --tile-3: #46366a;
  --tile-4: #6b2f35;
  --tile-5: #1d4f5c; --shade: rgba(0, 0, 0, .75);
"""

STYLE = (
    """
:root { color-scheme: light dark; """
    + _LIGHT
    + """ }
@media (prefers-color-scheme: dark) { :root { """
    + _DARK
    + """ } }
*, *::before, *::after { box-sizing: border-box; }
html { scroll-padding-top: 1rem; -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "Liberation Sans",
  Arial,
    sans-serif;
}
header, main, footer { max-width: 1216px; margin: 0 auto; padding: 0 2rem; }
h1, h2, h3, p, dl, dd, ul, ol, figure { margin: 0; padding: 0; }
h1 { font-size: 1.7rem; line-height: 1.25; letter-spacing: -.015em; font-weight: 650; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; line-height: 1.3; letter-spacing: -.01em; font-weight: 650; }
h3 { font-size: 1rem; line-height: 1.4; font-weight: 650; }
a { color: var(--link); text-underline-offset: .15em; }
code, pre, kbd {
  font-family: ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", "DejaVu Sans Mono", monospace;
}
code { font-size: .87em; overflow-wrap: anywhere; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; border-radius: 3px; }
.skip { position: absolute; left: -999rem; top: 0; padding: .6rem 1rem; background: var(--card); z-index: 2; }
.skip:focus { left: 1rem; top: 1rem; }
.unseen {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
}
.soft { color: var(--soft); }
.small { font-size: .87rem; }

/* The first screen */
header { padding-top: 1.75rem; }
.eyebrow { color: var(--soft); font-size: .87rem; margin-bottom: .15rem; }
.answers { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 1rem; margin-top: 1.25rem; }
.card, .panel { background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
.card { padding: 1.15rem 1.3rem 1.2rem; display: flex; flex-direction: column; }
.card h2 { font-size: .93rem; font-weight: 600; letter-spacing: 0; color: var(--soft); }
.big { font-size: 1.9rem; line-height: 1.2; font-weight: 650; letter-spacing: -.02em; margin-top: .3rem; }
.big .icon { width: 1.5rem; height: 1.5rem; margin-right: .5rem; vertical-align: -.17em; }
.icon { fill: none; stroke: currentColor; stroke-width: 2.4; stroke-linecap: round; stroke-linejoin: round; }
.big.good { color: var(--good); }
.big.warn { color: var(--warn); }
.card > p { margin-top: .35rem; }
.rows { margin-top: .8rem; border-top: 1px solid var(--line); }
.rows > div {
  display: flex; gap: 1rem; justify-content: space-between; padding: .42rem 0; border-bottom: 1px solid var(--line);
}
.rows > div:last-child { border-bottom: 0; padding-bottom: 0; }
.rows dt { color: var(--soft); flex: none; }
.rows dd { text-align: right; overflow-wrap: anywhere; }
.rows dd > span { display: block; }
.counts { display: grid; grid-template-columns: repeat(3, 1fr); margin-top: .3rem; }
.counts div { display: flex; flex-direction: column-reverse; }
.counts dd { font-size: 1.9rem; line-height: 1.2; font-weight: 650; letter-spacing: -.02em; }
.counts dt { color: var(--soft); font-size: .87rem; }
.bar { display: block; width: 100%; height: 8px; border-radius: 4px; margin-top: .85rem; }
.bar-all { fill: var(--calm-back); }
.bar-part { fill: var(--new); }
.card pre { margin: .35rem 0 0; padding: .42rem .7rem; font-size: 12px; }
.names { list-style: none; font-size: .87rem; margin-top: .15rem; }
.names li { display: flex; justify-content: space-between; gap: 1rem; }
.names li > :first-child { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.card .above { margin-top: .8rem; }
.card .more { margin-top: auto; padding-top: .8rem; }
nav { margin-top: 1.1rem; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: .35rem 1.3rem; }
nav a { text-decoration: none; font-size: .93rem; }
nav a:hover { text-decoration: underline; }

/* Sections */
main { padding-bottom: 1rem; }
main section { margin-top: 2.75rem; }
main section > p, section > h3 + p { margin-top: .3rem; max-width: 78ch; }
main section > h3 { margin-top: 1.5rem; }
/* Where a part is out of sight at a side, a shade is there: the covers scroll with the content, the shades do not. */
.panel {
  margin-top: .9rem; overflow-x: auto;
  background:
    linear-gradient(to right, var(--card) 40%, transparent) left / 3rem 100% no-repeat local,
    linear-gradient(to left, var(--card) 40%, transparent) right / 3rem 100% no-repeat local,
    linear-gradient(to right, var(--shade), transparent) left / .9rem 100% no-repeat scroll,
    linear-gradient(to left, var(--shade), transparent) right / .9rem 100% no-repeat scroll,
    var(--card);
}
details > summary { cursor: pointer; color: var(--link); padding: .25rem 0; }
details { margin-top: .7rem; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; }
caption { text-align: left; }
th, td { text-align: left; vertical-align: top; padding: .5rem .75rem; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { padding-left: 1.1rem; }
th:last-child, td:last-child { padding-right: 1.1rem; }
tbody tr:last-child > * { border-bottom: 0; }
thead th { color: var(--soft); font-weight: 600; font-size: .87rem; white-space: nowrap; background: var(--card); }
tbody th { font-weight: 400; }
tbody tr:hover { background: var(--sunk); }
th.n, td.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
data { font-variant-numeric: tabular-nums; white-space: nowrap; }
.ref { overflow-wrap: anywhere; font-weight: 550; }
.ref span { color: var(--soft); font-weight: 400; }
.d { color: var(--soft); font-size: .8rem; display: inline-block; max-width: 100%; }
td .d, th .d { font-weight: 400; }
.note { display: block; color: var(--warn); font-size: .87rem; }
.badge {
  display: inline-block; padding: .05rem .55rem; border-radius: 99px; font-size: .8rem; font-weight: 600;
  white-space: nowrap;
  background: var(--calm-back); color: var(--soft);
}
.badge.saved { background: var(--good-back); color: var(--good); }
.badge.failed, .badge.invalid { background: var(--bad-back); color: var(--bad); }
.badge.skipped, .badge.changed { background: var(--warn-back); color: var(--warn); }
.badge.new { background: var(--new-back); color: var(--new); }
.badge.removed { background: var(--bad-back); color: var(--bad); }
.images { table-layout: fixed; min-width: 60rem; }
.images th:nth-child(1) { width: 38%; }
.images th:nth-child(2), .images th:nth-child(3) { width: 5.9rem; }
.images th:nth-child(4) { width: 6.2rem; }
.platforms { list-style: none; }
.platforms li {
  display: grid; grid-template-columns: 7.6rem 4.9rem minmax(0, 1fr); gap: 0 .75rem;
  align-items: baseline;
}
.platforms data { text-align: right; }

/* Controls, which the script makes */
.tools { display: flex; flex-wrap: wrap; gap: .75rem 1rem; align-items: end; margin-top: .9rem; }
.tools[hidden] { display: none; }
.tools label { display: grid; gap: .2rem; font-size: .87rem; color: var(--soft); }
.tools label.wide { flex: 1 1 18rem; }
.tools output { margin-left: auto; color: var(--soft); font-size: .87rem; padding-bottom: .5rem; }
input, select, .tools button {
  font: inherit; color: var(--ink); background: var(--card); border: 1px solid var(--edge); border-radius: 7px;
  padding: .38rem .65rem;
  min-height: 2.4rem;
}
.tools button { cursor: pointer; }
.tools button[aria-pressed=true] { background: var(--new-back); color: var(--new); border-color: currentColor; }
th button {
  font: inherit; color: inherit; background: none; border: 0; padding: 0; margin: 0; cursor: pointer;
  text-align: inherit;
}
th button::after { content: "\\2195"; display: inline-block; width: 1.1em; text-align: right; opacity: .55; }
th[aria-sort=ascending] button, th[aria-sort=descending] button { color: var(--link); }
th[aria-sort=ascending] button::after { content: "\\2191"; opacity: 1; }
th[aria-sort=descending] button::after { content: "\\2193"; opacity: 1; }
tr[hidden] { display: none; }
.none { padding: 1rem 1.1rem; color: var(--soft); }
.js .short .d { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; vertical-align: bottom; }

/* The treemap */
.map { display: block; width: 100%; min-width: 44rem; height: auto; }
.map rect { fill: var(--tile); stroke: var(--card); stroke-width: 2; }
.map .new, .key .new { fill: var(--tile-new); }
.map .new { stroke: none; }
.map .edge { fill: none; }
.map .g1, .key .g1 { fill: var(--tile-new); }
.map .g2, .key .g2 { fill: var(--tile-2); }
.map .g3, .key .g3 { fill: var(--tile-3); }
.map .g4, .key .g4 { fill: var(--tile-4); }
.map .g5, .key .g5 { fill: var(--tile-5); }
.map text { fill: var(--ink); font-size: 12px; pointer-events: none; }
.map .amount { fill: var(--ink); font-size: 11px; }
.key {
  list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin-top: .6rem; font-size: .87rem;
  color: var(--soft);
}
.key svg { width: .85rem; height: .85rem; vertical-align: -.08em; margin-right: .4rem; }
.key rect { fill: var(--tile); }
.pad { padding: .75rem; }

/* Commands and options */
pre {
  background: var(--sunk); border: 1px solid var(--line); border-radius: 8px; padding: .5rem .75rem;
  margin: .5rem 0 0;
  overflow-x: auto; font-size: .84rem; line-height: 1.55; white-space: pre-wrap; overflow-wrap: anywhere;
}
pre code { font-size: inherit; user-select: all; }
.steps { list-style: none; counter-reset: step; max-width: 60rem; }
.steps > li { counter-increment: step; margin-top: 1rem; padding-left: 2.4rem; position: relative; }
.steps .above { margin-top: .7rem; }
.steps > li::before {
  content: counter(step); position: absolute; left: 0; top: 0; width: 1.6rem; height: 1.6rem; border-radius: 50%;
  background: var(--calm-back); color: var(--ink); font-size: .87rem; font-weight: 650; text-align: center;
  line-height: 1.6rem;
}
.options {
  display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .3rem 1.5rem; padding: .9rem 1.1rem;
  font-size: .93rem;
}
.options dt { color: var(--soft); }
.options dd { overflow-wrap: anywhere; }
footer { color: var(--soft); font-size: .87rem; padding-top: 2rem; padding-bottom: 3rem; }
footer p { border-top: 1px solid var(--line); padding-top: 1rem; }

@media (max-width: 960px) {
  header, main, footer { padding-left: 1rem; padding-right: 1rem; }
  .answers { grid-template-columns: minmax(0, 1fr); }
}
/* Rows fold: each cell is a line, with the title of its column. The head keeps the buttons that sort. */
@media screen and (max-width: 760px) {
  .sorts, .sorts thead, .sorts tbody, .sorts tr, .sorts th, .sorts td { display: block; }
  .sorts { min-width: 0; }
  .sorts thead { display: none; }
  .js .sorts thead { display: block; }
  .sorts thead tr {
    display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; padding: .6rem 1.1rem; border-bottom: 1px solid var(--line);
  }
  .sorts thead tr::before { content: "Sort by"; color: var(--soft); font-size: .87rem; }
  .sorts thead th.fixed { display: none; }
  .sorts tbody tr { padding: .6rem 1.1rem; border-bottom: 1px solid var(--line); }
  .sorts tbody tr:last-child { border-bottom: 0; }
  .sorts tbody tr[hidden], .sorts td:empty { display: none; }
  .sorts tr > :is(th, td) {
    width: auto; padding: .1rem 0; border: 0; text-align: left; white-space: normal; overflow-wrap: anywhere;
  }
  .images tr > th:nth-child(n) { width: auto; }
  .sorts td::before { content: attr(data-label) ":\\A0"; color: var(--soft); }
  .sorts data { white-space: normal; }
  .platforms { padding-left: 1rem; }
  .platforms li { grid-template-columns: minmax(0, 1fr) max-content; }
  .platforms li > :nth-child(3) { grid-column: 1 / -1; }
  .options { grid-template-columns: minmax(0, 1fr); gap: 0; }
  .options dd { margin-bottom: .5rem; }
}
@media (prefers-reduced-motion: no-preference) { html { scroll-behavior: smooth; } }
@media (forced-colors: active) { .map rect { stroke: CanvasText; } .bar-part { fill: Highlight; } }
@media print {
  :root { color-scheme: light; """
    + _LIGHT
    + """ --page: #ffffff; --soft: #444c58; }
  @page { margin: 14mm 12mm; }
  body { font-size: 9.5pt; }
  header, main, footer { max-width: none; padding-left: 0; padding-right: 0; }
  .skip, nav, .tools, .none, .more { display: none !important; }
  .card, .panel, section > h2, section > h3 { break-inside: avoid; }
  section > h2, section > h3 { break-after: avoid; }
  .panel { overflow: visible; break-inside: auto; background: none; }
  thead th { background: none; }
  tr { break-inside: avoid; }
  thead { display: table-header-group; }
  tr[hidden] { display: table-row; }
  th button::after { content: none; }
  .images, .map { min-width: 0; }
  .js .short .d { white-space: normal; overflow: visible; overflow-wrap: anywhere; }
  details > summary { color: var(--ink); list-style: none; }
  details::details-content { content-visibility: visible; display: block; block-size: auto; }
  .answers { gap: .5rem; grid-template-columns: repeat(3, minmax(0, 1fr)); }
  .card { padding: .7rem .8rem; }
  .big, .counts dd { font-size: 1.3rem; }
  * { print-color-adjust: exact; }
}
"""
)
