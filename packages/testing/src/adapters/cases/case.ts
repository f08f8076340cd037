import type { AdapterHarness, BodyKind, Feature } from "../harness.ts";
import type { AdapterScene } from "../scene.ts";

/** One requirement of the adapter contract. */
export interface AdapterCase {
  /** The required behavior: completes "it …". */
  readonly name: string;
  /** The case is skipped if the client or the adapter lacks one of these. */
  readonly needs?: readonly Feature[] | undefined;
  /** The kind of body that the case sends. The case is skipped if the client does not accept it. */
  readonly sends?: BodyKind | undefined;
  /**
   * Checks the requirement. `runAdapterCase` prepares the scene and cleans up.
   *
   * @throws ConformanceError if the adapter violates the contract. Unexpected errors of the client pass through.
   */
  run(scene: AdapterScene): Promise<void>;
}

/** Returns the reason for skipping a case, or `undefined` if it can run. */
export function skipReason({ needs = [], sends }: AdapterCase, harness: AdapterHarness): string | undefined {
  const lacking = needs.find((need) => harness.unsupported?.[need] !== undefined);
  if (lacking) return `not applicable: ${harness.unsupported?.[lacking]}`;
  return sends && !harness.bodies[sends] ? `not applicable: the client accepts no body of kind ${sends}` : undefined;
}
