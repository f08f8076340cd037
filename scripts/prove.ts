/** `pnpm prove` runs the proofs of a CI run without the tests, and `pnpm prove --nightly` the nightly ones. */
import { ciProofs, nightlyProofs, prove } from "./proofs.ts";

const proofs = process.argv.includes("--nightly") ? nightlyProofs() : ciProofs(Date.now());
const { passed, failed } = await prove(proofs, (line) => process.stdout.write(line));
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
