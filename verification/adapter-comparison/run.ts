import {
  type AdapterCase,
  type AdapterHarness,
  adapterCases,
  ConformanceError,
  runAdapterCase,
} from "@unexpired/testing";

/** The result of one case. */
export type Result =
  | { readonly is: "passed" }
  | { readonly is: "failed"; readonly reason: string }
  | { readonly is: "unsupported"; readonly reason: string };

const CONCURRENCY = 4;

/** Runs every case of the kit on one harness. Resolves to the results in the kit's order. */
export async function runAll(harness: AdapterHarness): Promise<readonly Result[]> {
  const results: Result[] = [];
  const queue = [...adapterCases.entries()];
  const work = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const [index, each] = next;
      results[index] = await run(each, harness);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  return results;
}

async function run(each: AdapterCase, harness: AdapterHarness): Promise<Result> {
  try {
    const reason = await runAdapterCase(each, harness);
    return reason === undefined ? { is: "passed" } : { is: "unsupported", reason };
  } catch (error) {
    const { message } = error as Error;
    const [first = ""] = message.split("\n");
    return { is: "failed", reason: error instanceof ConformanceError ? first : `It threw: ${first}` };
  }
}
