# SPDX-FileCopyrightText: The datain.azure_mysql contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE: part of datain.azure_mysql, not for use by other collections.
"""How the HTML page looks: by day, by night, on a phone and on paper."""

from __future__ import annotations

STYLE = """
:root {
  --page: #f6f7f9; --card: #fff; --text: #1b2330; --soft: #5a6576; --line: #dfe3ea; --code: #f1f3f7; --link: #1f5fbf;
  --failed: #b3261e; --failed-soft: #fdeceb; --warning: #8a5a00; --warning-soft: #fdf3dc;
  --ok: #1c6b3c; --ok-soft: #e6f4ea; --unknown: #56607a; --unknown-soft: #eceff6;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12161d; --card: #1a2029; --text: #e6e9ef; --soft: #a0aabb; --line: #2d3643; --code: #232b37; --link: #8ab8ff;
    --failed: #ff9a92; --failed-soft: #3d2224; --warning: #f2c265; --warning-soft: #382e1a;
    --ok: #80d49c; --ok-soft: #1b3325; --unknown: #b0bbd2; --unknown-soft: #2a3242;
  }
}
* { box-sizing: border-box; }
html { color-scheme: light dark; -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; max-width: 72rem; padding: 2.5rem 1.5rem 4rem; background: var(--page); color: var(--text);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
.ok { --tone: var(--ok); --tint: var(--ok-soft); }
.warning { --tone: var(--warning); --tint: var(--warning-soft); }
.failed { --tone: var(--failed); --tint: var(--failed-soft); }
.unknown, .waived { --tone: var(--unknown); --tint: var(--unknown-soft); }
a { color: var(--link); text-underline-offset: .15em; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; border-radius: 4px; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--card); padding: .5rem 1rem; }
p { margin: .5rem 0; }
dl, dd, ul { margin: 0; padding: 0; }
bdi, h3, dd, td, li, .tag { overflow-wrap: anywhere; }
.kicker { margin: 0; color: var(--soft); font-weight: 600; font-size: .875rem; letter-spacing: .02em; }
h1 {
  display: flex; gap: .75rem; align-items: center; margin: .35rem 0; font-size: clamp(1.5rem, 1.1rem + 2vw, 2.25rem);
  line-height: 1.2; letter-spacing: -.01em;
}
.mark {
  flex: none; display: grid; place-items: center; width: 1.6em; height: 1.6em; border-radius: 50%;
  background: var(--tint); color: var(--tone); font-size: .75em;
}
.when { color: var(--soft); }
.tiles { display: grid; grid-template-columns: repeat(4, 1fr); gap: .75rem; margin: 1.5rem 0 0; }
.tile { display: flex; flex-direction: column-reverse; padding: .9rem 1.1rem; border: 1px solid var(--line); border-radius: 10px; background: var(--card); }
.tile dt { color: var(--soft); font-size: .875rem; }
.tile dd { font-size: 1.75rem; font-weight: 650; line-height: 1.2; color: var(--tone, var(--soft)); font-variant-numeric: tabular-nums; }
h2 { margin: 2.5rem 0 .75rem; font-size: 1.25rem; line-height: 1.3; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 10px; background: var(--card); }
table { width: 100%; border-collapse: collapse; font-size: .9375rem; }
th, td { padding: .6rem .85rem; text-align: left; vertical-align: baseline; white-space: nowrap; }
thead th { color: var(--soft); font-size: .8125rem; font-weight: 600; }
tbody tr { border-top: 1px solid var(--line); }
tbody th { font-weight: 600; max-width: 22rem; white-space: normal; min-width: 10.5rem; }
td { font-variant-numeric: tabular-nums; }
.faint { color: var(--soft); opacity: .6; }
.pill {
  display: inline-block; padding: .05rem .6rem; border-radius: 1rem; background: var(--tint); color: var(--tone);
  font-size: .8125rem; font-weight: 600; line-height: 1.6; letter-spacing: 0; white-space: nowrap;
}
.tag, code, pre { font-family: ui-monospace, "Cascadia Mono", "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.tag { color: var(--soft); font-size: .8125rem; }
article { margin-top: 1.5rem; padding: 1.5rem; border: 1px solid var(--line); border-radius: 12px; background: var(--card); scroll-margin-top: 1rem; }
article > h2 { display: flex; flex-wrap: wrap; gap: .25rem .75rem; align-items: center; margin: 0 0 .75rem; }
.facts { display: flex; flex-wrap: wrap; gap: .6rem 2rem; }
.facts dt { color: var(--soft); font-size: .8125rem; }
.calm { margin: 1rem 0 0; color: var(--soft); }
.finding { margin-top: 1.25rem; padding-left: 1rem; border-left: 3px solid var(--tone); }
.finding h3 { margin: 0; font-size: 1.0625rem; line-height: 1.4; }
.finding h3::first-letter { text-transform: uppercase; }
.tags { display: flex; flex-wrap: wrap; gap: .25rem .6rem; align-items: center; margin: .3rem 0 .6rem; }
.label { margin: .6rem 0 .25rem; color: var(--soft); font-size: .8125rem; }
pre {
  margin: 0; padding: .7rem .9rem; border-radius: 8px; background: var(--code); font-size: .875rem; line-height: 1.5;
  white-space: pre-wrap; overflow-wrap: anywhere; user-select: all;
}
code { padding: .1rem .35rem; border-radius: 4px; background: var(--code); font-size: .875em; overflow-wrap: anywhere; }
.finding dl { margin-top: .6rem; font-size: .9375rem; }
.finding dl div { display: grid; grid-template-columns: 6rem 1fr; gap: .75rem; padding: .1rem 0; }
.finding dt { color: var(--soft); }
details { margin-top: 1.25rem; border-top: 1px solid var(--line); padding-top: .9rem; }
summary { cursor: pointer; font-weight: 600; }
.count { color: var(--soft); font-weight: 400; font-variant-numeric: tabular-nums; }
details ul { list-style: none; margin-top: .5rem; }
details li { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1.5rem; padding: .4rem 0; font-size: .9375rem; }
details li + li { border-top: 1px solid var(--line); }
.departed { color: var(--soft); }
.departed ul { padding-left: 1.25rem; }
footer { margin-top: 3rem; color: var(--soft); font-size: .875rem; }
@media (max-width: 40rem) {
  body { padding: 1.5rem 1rem 3rem; }
  .tiles { grid-template-columns: repeat(2, 1fr); }
  article { padding: 1.1rem; }
  .finding dl div { grid-template-columns: 1fr; gap: 0; }
}
@media print {
  :root {
    --page: #fff; --card: #fff; --text: #000; --soft: #444; --line: #bbb; --code: #f3f3f3; --link: #000;
    --failed: #8c1d18; --warning: #6b4600; --ok: #14532d; --unknown: #444; --failed-soft: #fff; --warning-soft: #fff;
    --ok-soft: #fff; --unknown-soft: #fff;
  }
  body { max-width: none; padding: 0; font-size: 10pt; }
  .skip { display: none; }
  .scroll { overflow: visible; }
  th, td { white-space: normal; padding: .3rem .5rem; }
  .pill { border: 1px solid currentcolor; }
  .finding, tr, .tile { break-inside: avoid; }
  article > h2 { break-after: avoid; }
  details::details-content { content-visibility: visible; block-size: auto; }
}
"""
