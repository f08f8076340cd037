import { styleText } from "node:util";
import { renderUnicodeCompact } from "uqr";

/** A terminal, as `process.stderr` is one. */
export interface Terminal extends NodeJS.WritableStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

/** The light margin that scanners need. */
const BORDER = 2;

/** Returns a QR code for a terminal; `undefined` if it is no terminal, or too small for the code. */
export function renderQrCode(text: string, terminal: Terminal): string | undefined {
  const { isTTY = false, columns = 0, rows = 0 } = terminal;
  if (!isTTY) return undefined;
  const lines = renderUnicodeCompact(text, { border: BORDER }).split("\n");
  const [{ length: width } = ""] = lines;
  if (width > columns || lines.length >= rows) return undefined;
  return lines.map((line) => styleText(["whiteBright", "bgBlack"], line, { stream: terminal })).join("\n");
}
