import { join } from "node:path";

// Lets the processes that the tests start share compiled modules, instead of each compiling its own.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, "../node_modules/.cache/compile");
