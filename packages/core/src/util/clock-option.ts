import * as z from "zod/mini";
import { functionSchema, type OptionTable } from "./check-options.ts";

const member = z.optional(functionSchema);

/** The option `clock`. */
export const clockOption = [
  z.looseObject({ now: member, monotonic: member, setTimer: member, random: member, randomId: member }),
  "{ now?, monotonic?, setTimer?, random?, randomId? }, each a function",
] as const satisfies OptionTable[string];
