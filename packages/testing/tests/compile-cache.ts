import { join } from "node:path";

// Processes that the tests start compile what they import once, and not each anew.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, "../node_modules/.cache/compile");
