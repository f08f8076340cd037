/** Invokes the serverless function for the user named by the argument, and ends as soon as it has returned. */
import { handler } from "../serverless.ts";

const [, , userId = ""] = process.argv;
const { status, body } = await handler({ userId });
console.log(JSON.stringify({ status, ...(body as object) }));
process.exit();
