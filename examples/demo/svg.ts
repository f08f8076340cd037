/** Draws the frames of a terminal as an animated SVG, which needs no script and shows the last frame without animation. */

const FRAME_SECONDS = 1.5;
const LAST_FRAME_SECONDS = 8;
const FONT_SIZE = 14;
const CHARACTER = 0.602 * FONT_SIZE; // the width in most monospaced fonts
const LINE = 20;
const MARGIN = 16;

/** The classes of the styles that the demo uses, by the code that starts each. Other codes end the style. */
const CLASSES = new Map([
  ["1", "bold"],
  ["2", "dim"],
  ["31", "red"],
  ["32", "green"],
  ["33", "yellow"],
  ["36", "cyan"],
]);

const STYLE = `
  text { font: ${FONT_SIZE}px ui-monospace, Menlo, Consolas, monospace; fill: #d0d7de; white-space: pre }
  .bold { font-weight: bold } .dim { fill: #8b949e } .red { fill: #ff7b72 } .green { fill: #7ee787 }
  .yellow { fill: #e3b341 } .cyan { fill: #76e3ea }`;

/** Returns an SVG of a terminal with that many columns that shows one frame after another. `title` describes it. */
export function toSvg(frames: readonly string[], { columns, title }: { columns: number; title: string }): string {
  const width = Math.ceil(columns * CHARACTER + 2 * MARGIN);
  const height = Math.max(...frames.map((frame) => frame.split("\n").length)) * LINE;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" xml:space="preserve" role="img">
<title>${escapeMarkup(title)}</title>
<style>${STYLE}${animation(frames.length - 1)}
</style>
<rect width="${width}" height="${height}" rx="8" fill="#0d1117"/>
${frames.map((frame) => `<g class="frame">\n${linesOf(frame)}</g>\n`).join("")}</svg>
`;
}

/** The frames before the last are shown for the same time each, the last one until the animation starts again. */
function animation(earlier: number): string {
  const total = earlier * FRAME_SECONDS + LAST_FRAME_SECONDS;
  const percent = (seconds: number) => `${((100 * seconds) / total).toFixed(2)}%`;
  const rules = Array.from(
    { length: earlier },
    (_, index) => `\n  .frame:nth-of-type(${index + 1}) { animation-delay: ${index * FRAME_SECONDS}s }`,
  );
  return `
  .frame { visibility: hidden; animation: earlier ${total}s step-end infinite }
  .frame:last-of-type { visibility: visible; animation-name: last }
  @keyframes earlier { 0% { visibility: visible } ${percent(FRAME_SECONDS)} { visibility: hidden } }
  @keyframes last { 0% { visibility: hidden } ${percent(earlier * FRAME_SECONDS)} { visibility: visible } }${rules.join("")}
  @media (prefers-reduced-motion) { .frame { animation: none } }`;
}

/** Returns one text element per line that is not blank. A style may span several lines. */
function linesOf(frame: string): string {
  const [plain = "", ...parts] = frame.split("\x1b[");
  let markup = escapeMarkup(plain);
  let style: string | undefined;
  for (const part of parts) {
    const [, parameters = "", command, text = ""] = /^([?\d]*)([A-Za-z])(.*)$/s.exec(part) ?? [];
    if (command === "m") style = CLASSES.get(parameters); // otherwise it moves the cursor or clears a line
    markup += text
      .split("\n")
      .map((piece) => styled(piece, style))
      .join("\n");
  }
  const element = (line: string, row: number) =>
    `<text x="${MARGIN}" y="${(row + 0.7) * LINE}">${line.trimEnd()}</text>\n`;
  return markup
    .split("\n")
    .map((line, row) => (line.trim() ? element(line, row) : ""))
    .join("");
}

const styled = (text: string, style: string | undefined): string =>
  text && style ? `<tspan class="${style}">${escapeMarkup(text)}</tspan>` : escapeMarkup(text);

const escapeMarkup = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
