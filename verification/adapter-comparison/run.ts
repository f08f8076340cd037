import {
  type AdapterCase,
  type AdapterHarness,
  adapterCases,
  ConformanceError,
  runAdapterCase,
} from "@unexpired/testing";

/** What became of one case. */
export type Result =
  | { readonly is: "passed" }
  | { readonly is: "failed"; readonly why: string }
  | { readonly is: "lacking"; readonly why: string };

const AT_ONCE = 4;

/** Every case of the kit on one harness, in the kit's order. */
export async function runAll(harness: AdapterHarness): Promise<readonly Result[]> {
  const results: Result[] = [];
  const waiting = [...adapterCases.entries()];
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const [index, each] = next;
      results[index] = await run(each, harness);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return results;
}

async function run(each: AdapterCase, harness: AdapterHarness): Promise<Result> {
  try {
    const why = await runAdapterCase(each, harness);
    return why === undefined ? { is: "passed" } : { is: "lacking", why };
  } catch (error) {
    const { message } = error as Error;
    const [first = ""] = message.split("\n");
    return { is: "failed", why: error instanceof ConformanceError ? first : `It threw: ${first}` };
  }
}
