/** A command-line tool: `acme login | status | call PATH | auth refresh | logout`. */
import { fetchWithTokens, flow, session, withSession } from "./auth.ts";
import { API } from "./settings.ts";

const commands: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
  async login() {
    await session.signIn(await flow(), { over: "unreadable" }); // also over a session that is alive: of another account, perhaps
    console.log("signed in");
  },
  async status() {
    const isSignedIn = await session.hasSession();
    console.log(isSignedIn ? "signed in" : "signed out");
    process.exitCode = isSignedIn ? 0 : 1;
  },
  async call(path) {
    const response = await fetchWithTokens(new URL(path, API));
    console.log(response.status, await response.text());
    process.exitCode = response.ok ? 0 : 1;
  },
  async auth() {
    await session.refresh();
    console.log("refreshed");
  },
  async logout() {
    await session.signOut();
    console.log("signed out");
  },
};

const [name = "", argument = ""] = process.argv.slice(2);
const command = commands[name];
try {
  if (!command) throw new Error("Usage: acme login | status | call PATH | auth refresh | logout");
  await withSession(() => command(argument));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
