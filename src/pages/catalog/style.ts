/** The one stylesheet of the catalogue: light and dark, phone and desk, no picture and no foreign font. */

/** Each pair of text and ground has a contrast of 4.5 at least; a test counts. */
export const COLOURS = {
  light: { ink: "#1b2026", soft: "#545d68", ground: "#ffffff", panel: "#f3f5f7", line: "#cfd6dd", link: "#0b57a4" },
  dark: { ink: "#e8ecf0", soft: "#a9b4bf", ground: "#12161a", panel: "#1c2228", line: "#39434d", link: "#7cb7f5" },
} as const;

/** Ground and text of a badge, alike in light and dark. */
export const BADGES = {
  low: { ground: "#1d6b3a", ink: "#ffffff" },
  medium: { ground: "#7a5200", ink: "#ffffff" },
  high: { ground: "#a33a00", ink: "#ffffff" },
  critical: { ground: "#9b1230", ink: "#ffffff" },
} as const;

const variables = (colours: Readonly<Record<string, string>>): string =>
  Object.entries(colours)
    .map(([name, colour]) => `--${name}:${colour}`)
    .join(";");

const badges = Object.entries(BADGES)
  .map(([name, { ground, ink }]) => `.${name}{background:${ground};color:${ink}}`)
  .join("\n");

export const STYLE: string = `:root{${variables(COLOURS.light)};color-scheme:light dark}
@media (prefers-color-scheme:dark){:root{${variables(COLOURS.dark)}}}
*{box-sizing:border-box}
body{margin:0;font:1rem/1.55 system-ui,sans-serif;color:var(--ink);background:var(--ground)}
header,main,footer{max-width:58rem;margin:0 auto;padding:1rem}
header nav,footer nav{display:flex;flex-wrap:wrap;gap:.4rem 1.2rem;align-items:center}
header{border-bottom:1px solid var(--line)}
footer{border-top:1px solid var(--line);color:var(--soft);margin-top:3rem}
a{color:var(--link)}
a:focus-visible,button:focus-visible,input:focus-visible,select:focus-visible,textarea:focus-visible,summary:focus-visible{outline:3px solid var(--link);outline-offset:2px}
h1{font-size:1.9rem;line-height:1.2;overflow-wrap:anywhere;margin:.6rem 0}
h2{font-size:1.25rem;margin:2.2rem 0 .6rem}
h3{font-size:1rem;margin:1rem 0 .3rem}
p,li,dd,td{overflow-wrap:anywhere}
.skip{position:absolute;left:-99rem}
.skip:focus{left:1rem;top:1rem;background:var(--ground);padding:.5rem}
.path,.soft{color:var(--soft)}
.badge{display:inline-block;border-radius:1rem;padding:.1rem .7rem;font-size:.85rem;font-weight:600}
${badges}
.plain{background:var(--panel);border:1px solid var(--line);color:var(--ink)}
.cards{list-style:none;padding:0;display:grid;gap:.8rem;grid-template-columns:repeat(auto-fill,minmax(min(17rem,100%),1fr))}
.cards>li,.panel{background:var(--panel);border:1px solid var(--line);border-radius:.5rem;padding:.8rem 1rem}
.cards p{margin:.3rem 0}
.words{white-space:pre-wrap}
code,pre,textarea{font:.9rem/1.45 ui-monospace,monospace}
pre{background:var(--panel);border:1px solid var(--line);border-radius:.5rem;padding:.8rem;overflow:auto;max-height:32rem}
table{border-collapse:collapse;width:100%}
.wide{overflow-x:auto}
th,td{text-align:left;vertical-align:top;padding:.35rem .7rem .35rem 0;border-bottom:1px solid var(--line)}
dl.facts{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}
dl.facts dd{margin:0}
label{display:block;font-weight:600;margin:.7rem 0 .2rem}
input,select,textarea{width:100%;max-width:40rem;padding:.5rem;border:1px solid var(--soft);border-radius:.3rem;background:var(--ground);color:var(--ink);font-size:1rem}
button{margin-top:.8rem;padding:.55rem 1.2rem;border:0;border-radius:.3rem;background:var(--link);color:var(--ground);font:inherit;font-weight:600;cursor:pointer}
form.line{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(11rem,100%),1fr));gap:0 1rem;align-items:end}
details{border-bottom:1px solid var(--line);padding:.5rem 0}
summary{cursor:pointer;font-weight:600}
`;
