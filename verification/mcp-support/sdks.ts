/** Both lines of the SDK. */
import type { Sdk } from "./sdk.ts";
import { sdk as sdk1 } from "./sdk-1.ts";
import { sdk as sdk2 } from "./sdk-2.ts";

export const sdks: readonly Sdk[] = [sdk1, sdk2];
