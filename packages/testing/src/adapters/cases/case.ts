import type { AdapterHarness, BodyKind, Feature } from "../harness.ts";
import type { AdapterScene } from "../scene.ts";

/** One thing that an adapter has to do. */
export interface AdapterCase {
  /** What the adapter does. */
  readonly name: string;
  /** Where the client or the adapter lacks one of these, the case is skipped. */
  readonly needs?: readonly Feature[] | undefined;
  /** The kind of body that the case sends. Where the client does not take it, the case is skipped. */
  readonly sends?: BodyKind | undefined;
  /**
   * Tries it; `runAdapterCase` prepares the scene and cleans up.
   *
   * @throws ConformanceError where the adapter does not do it, and whatever the client throws unasked
   */
  run(scene: AdapterScene): Promise<void>;
}

/** Why a case cannot be run on an adapter; `undefined` where it can. */
export function reasonAgainst({ needs = [], sends }: AdapterCase, harness: AdapterHarness): string | undefined {
  const lacking = needs.find((need) => harness.unsupported?.[need] !== undefined);
  if (lacking) return `not applicable: ${harness.unsupported?.[lacking]}`;
  return sends && !harness.bodies[sends] ? `not applicable: the client takes no body of kind ${sends}` : undefined;
}
