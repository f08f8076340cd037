import { expectThat } from "../../contract.ts";
import type { AdapterScene } from "../scene.ts";
import type { AdapterCase } from "./case.ts";
import { describeError, expectFailure } from "./expect.ts";

/** Resolves to the error of a call without and of one with the adapter. */
async function bothErrors(scene: AdapterScene, url: string): Promise<readonly [alone: unknown, adapted: unknown]> {
  const errorOf = (tokens: AdapterScene["session"]["tokens"] | undefined) => {
    const call = scene.send({ url }, { tokens }).then((outcome) => {
      if (outcome.error === undefined) return outcome;
      throw outcome.error;
    });
    return expectFailure(call, { clause: "transparency", what: "The server did not respond with a success" });
  };
  return [await errorOf(undefined), await errorOf(scene.session.tokens)];
}

const sameClass: AdapterCase = {
  name: "throws errors of the same classes as the client without the adapter",
  needs: ["statusErrors"],
  async run(scene) {
    scene.api.respond = ({ path }) => (path === "/closed" ? Promise.reject(new Error("closed")) : { status: 500 });
    for (const url of ["/failed", "/closed"]) {
      const [alone, adapted] = await bothErrors(scene, url);
      const isSame = Object.getPrototypeOf(alone) === Object.getPrototypeOf(adapted);
      const what = `The call threw ${describeError(adapted)}, whose class is not that of the client's own error`;
      expectThat(isSame, "transparency", () => `${what}, ${describeError(alone)}.`);
    }
  },
};

export const errorClassCases: readonly AdapterCase[] = [sameClass];
