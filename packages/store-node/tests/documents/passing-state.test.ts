import { describe, expect, it } from "vitest";
import { PassingState } from "../../src/documents/passing-state.ts";

type Look = Parameters<PassingState["elapsed"]>[0];

const EMPTIED: Look = { kind: "emptied", version: "1", textId: "a" };

/** The result of the last of some looks at given times. */
function after(...looks: readonly (readonly [number, Partial<Look>?])[]): number {
  let now = 0;
  const state = new PassingState(() => now);
  return looks.reduce((_, [time, look]) => {
    now = time;
    return state.elapsed({ ...EMPTIED, ...look });
  }, 0);
}

describe("a state that may pass", () => {
  it("lasts as long as looks find the same document", () => {
    expect(after([0], [900], [1_800])).toBe(1_800);
    expect(after([0, { textId: undefined }], [900, { textId: undefined }])).toBe(900);
  });

  it.each<[string, Partial<Look>]>([
    ["another state", { kind: "torn" }],
    ["another version of the session", { version: "2" }],
  ])("begins again with %s", (_name, other) => {
    expect(after([0, other], [900])).toBe(0);
  });

  it("begins again if two looks are more than two seconds apart: the machine may have been asleep", () => {
    expect(after([0], [2_000])).toBe(2_000);
    expect(after([0], [2_001])).toBe(0);
  });

  it("begins again once it has passed", () => {
    let now = 0;
    const state = new PassingState(() => now);
    state.elapsed(EMPTIED);
    state.end();
    now = 900;
    expect(state.elapsed(EMPTIED)).toBe(0);
  });

  it("lasts two seconds less if the document has changed in between", () => {
    const change = (time: number): [number, Partial<Look>] => [time, { textId: `${time}` }];
    expect(after(change(0), change(900))).toBe(0);
    expect(after(change(0), change(900), change(1_800), change(2_700), change(3_100))).toBe(1_100);
  });
});
