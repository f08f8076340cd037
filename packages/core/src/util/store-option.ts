import * as z from "zod/mini";
import { functionSchema, type OptionTable } from "./check-options.ts";

/** An option that takes a `TokenStore`. */
export const storeOption = [
  z.looseObject({
    load: functionSchema,
    save: functionSchema,
    remove: functionSchema,
    describe: functionSchema,
    supports: z.looseObject({ compareAndSet: z.string() }),
    watch: z.optional(functionSchema),
    subscribe: z.optional(functionSchema),
    holder: z.optional(
      z.looseObject({ id: z.string(), statusOf: functionSchema, describe: z.optional(functionSchema) }),
    ),
  }),
  "a TokenStore, such as fileStore({ path })",
] as const satisfies OptionTable[string];
