/** The other runtimes in which the README says that the packages run. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { run, SESSION_PROGRAM } from "../../end-to-end/support/bundle.ts";
import { COMMANDS, runInWorkerd } from "../../end-to-end/support/runtimes.ts";
import type { Row } from "../row.ts";

const ONE = "1 exchange, none presented twice, signed in";

const sharing = (runtime: string): Row => ({
  situation: `${runtime} and Node find the same expired session in a file, at the same moment`,
  expected: { happened: ONE, saw: /^renewed, renewed$/ },
  async run(scene) {
    await scene.signIn();
    scene.issuer.next({ delay: 300 });
    const { folder } = scene.packed;
    const env = { SESSION_FILE: scene.file, TOKEN_ENDPOINT: scene.issuer.tokenEndpoint };
    writeFileSync(join(folder, "session.mjs"), SESSION_PROGRAM);
    const all = [runtime, "Node"].map((name) => {
      const [program = "", ...options] = COMMANDS[name]?.(folder) ?? [];
      return run(program, [...options, "session.mjs"], { cwd: folder, env });
    });
    const results = await Promise.all(all);
    return {
      saw: results.map(({ stdout, stderr }) => `${stdout}${stderr}`.trim()).join(", "),
      happened: scene.exchanges,
    };
  },
});

const WORKER = `
  import { createTokenManager, memoryStore } from "@unexpired/core";
  import { oauth2Refresh } from "@unexpired/core/oauth2";

  const refresh = oauth2Refresh({ tokenEndpoint: TOKEN_ENDPOINT, clientId: "worker" });
  export default {
    async test() {
      const tokens = createTokenManager({ store: memoryStore(), refresh });
      await tokens.adopt({ refreshToken: REFRESH_TOKEN });
      const [first, second] = await Promise.all([tokens.getAccessToken(), tokens.getAccessToken()]);
      console.log(first === second ? "renewed" : "two tokens");
      await tokens.close();
    },
  };
`;

export const runtimeRows: readonly Row[] = [
  sharing("Deno"),
  sharing("Bun"),
  {
    situation: "workerd: two calls need a token at the same moment",
    expected: { happened: ONE, saw: /^renewed$/ },
    async run(scene) {
      const { directory, issuer, packed } = scene;
      const env = { TOKEN_ENDPOINT: issuer.tokenEndpoint, REFRESH_TOKEN: String(issuer.signIn().refreshToken) };
      const { stdout, stderr } = await runInWorkerd(WORKER, { folder: packed.folder, directory, env });
      return { saw: stdout.trim() || stderr, happened: scene.exchanges };
    },
  },
];
