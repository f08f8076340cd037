import { PassThrough } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import decodeQr from "qr/decode.js";
import { describe, expect, it } from "vitest";
import { renderQrCode } from "../src/qr-code.ts";

const URL_WITH_CODE = "https://auth.example.com/device?user_code=ABCD-EFGH";

const terminal = (columns: number, rows: number) =>
  Object.assign(new PassThrough(), { isTTY: true, columns, rows, getColorDepth: () => 4 });

const SCALE = 4;
/** The light halves of each character: the upper one, and the lower one. */
const HALVES: Readonly<Record<string, readonly [boolean, boolean]>> = {
  "█": [true, true],
  "▀": [true, false],
  "▄": [false, true],
  " ": [false, false],
};

/** Reads a code from what a terminal shows, with another library than the one that wrote it. */
function scan(text: string): string {
  const rows = stripVTControlCharacters(text)
    .split("\n")
    .flatMap((line) => [0, 1].map((half) => [...line].map((character) => HALVES[character]?.[half] ?? false)));
  const width = (rows[0]?.length ?? 0) * SCALE;
  const height = rows.length * SCALE;
  const data = new Uint8Array(width * height * 4).fill(255);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const isLight = rows[Math.floor(y / SCALE)]?.[Math.floor(x / SCALE)] ?? true;
      data.fill(isLight ? 255 : 0, (y * width + x) * 4, (y * width + x) * 4 + 3);
    }
  }
  return decodeQr({ width, height, data });
}

describe("the QR code", () => {
  const code = renderQrCode(URL_WITH_CODE, terminal(80, 24)) ?? "";
  const lines = stripVTControlCharacters(code).split("\n");
  const width = lines[0]?.length ?? 0;

  it("can be scanned", () => {
    expect(scan(code)).toBe(URL_WITH_CODE);
  });

  it("is light on dark with any colors of the terminal", () => {
    expect(code.startsWith("\u001b[")).toBe(true);
  });

  it("fits into 80 columns and 24 lines", () => {
    expect(width).toBeLessThanOrEqual(80);
    expect(new Set(lines.map((line) => line.length))).toEqual(new Set([width]));
    expect(lines.length).toBeLessThan(24);
  });

  it("is left out if the terminal is too narrow or too low, or is no terminal", () => {
    expect(renderQrCode(URL_WITH_CODE, terminal(width, 24))).toBe(code);
    expect(renderQrCode(URL_WITH_CODE, terminal(width - 1, 24))).toBeUndefined();
    expect(renderQrCode(URL_WITH_CODE, terminal(80, lines.length))).toBeUndefined();
    expect(renderQrCode(URL_WITH_CODE, new PassThrough())).toBeUndefined();
  });
});
