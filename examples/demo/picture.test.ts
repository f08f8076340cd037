import { readFileSync } from "node:fs";
import { expect, it, vi } from "vitest";
import { draw, PICTURE } from "./picture.ts";

it("shows the recorded run in the README as the demo shows it now", () => {
  vi.stubEnv("FORCE_COLOR", undefined);
  vi.stubEnv("NO_COLOR", undefined);
  const isCurrent = readFileSync(PICTURE, "utf8") === draw();
  expect(isCurrent, "docs/demo.svg is out of date. Run `pnpm demo:draw`.").toBe(true);
});
