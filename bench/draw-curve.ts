/** Curves as pictures: bars in plain text for a terminal, and an SVG with both axes logarithmic, written by hand. */

export interface Point {
  readonly size: number;
  readonly value: number;
}

const BAR_CHARACTERS = 48;

export function drawBars(points: readonly Point[], unit: string): string {
  const largest = Math.max(...points.map(({ value }) => value));
  const wide = Math.max(...points.map(({ size }) => size.toLocaleString("en").length));
  return points
    .map(({ size, value }) => {
      const bar = "█".repeat(Math.max(1, Math.round((value / largest) * BAR_CHARACTERS)));
      return `  ${size.toLocaleString("en").padStart(wide)} ${bar} ${value.toFixed(1)} ${unit}\n`;
    })
    .join("");
}

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [640, 360, 70, 20, 48, 48];

/** Where a value stands between the powers of ten around all of them. */
function scale(
  values: readonly number[],
  from: number,
  to: number,
): { readonly place: (value: number) => number; readonly marks: number[] } {
  const log = (value: number): number => Math.log10(Math.max(value, 1));
  const low = Math.floor(Math.min(...values.map(log)));
  const high = Math.max(low + 1, Math.ceil(Math.max(...values.map(log))));
  const place = (value: number): number => from + ((log(value) - low) / (high - low)) * (to - from);
  return { place, marks: Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index)) };
}

const shorten = (value: number): string => (value >= 1e6 ? `${value / 1e6}M` : value >= 1e3 ? `${value / 1e3}k` : String(value));

/** `title` and `unit` are plain words. */
export function drawSvg(title: string, unit: string, points: readonly Point[]): string {
  const across = scale(
    points.map(({ size }) => size),
    LEFT,
    WIDTH - RIGHT,
  );
  const up = scale(
    points.map(({ value }) => value),
    HEIGHT - BOTTOM,
    TOP,
  );
  const at = points.map(({ size, value }) => ({ x: across.place(size).toFixed(1), y: up.place(value).toFixed(1), value }));
  const lines = [
    ...across.marks.map((mark) => {
      const x = across.place(mark).toFixed(1);
      return `<path d="M${x} ${TOP}V${HEIGHT - BOTTOM}" stroke="#ddd"/><text x="${x}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${shorten(mark)}</text>`;
    }),
    ...up.marks.map((mark) => {
      const y = up.place(mark).toFixed(1);
      return `<path d="M${LEFT} ${y}H${WIDTH - RIGHT}" stroke="#ddd"/><text x="${LEFT - 8}" y="${y}" dy="4" text-anchor="end">${shorten(mark)}</text>`;
    }),
    `<polyline points="${at.map(({ x, y }) => `${x},${y}`).join(" ")}" fill="none" stroke="#1b62b5" stroke-width="2"/>`,
    ...at.map(
      ({ x, y, value }) =>
        `<circle cx="${x}" cy="${y}" r="4" fill="#1b62b5"/><text x="${x}" y="${y}" dy="-10" text-anchor="middle">${value.toFixed(value < 100 ? 1 : 0)}</text>`,
    ),
    `<text x="${LEFT}" y="24" font-size="14" font-weight="bold">${title}</text>`,
    `<text x="${LEFT}" y="40" fill="#666">${unit}</text>`,
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="11">
<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>
${lines.join("\n")}
</svg>
`;
}
