/** Paths and names of session files. */
import { execFileSync } from "node:child_process";
import { existsSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { outcome } from "@unexpired-internal/tables/outcome";
import { canary } from "@unexpired-internal/test-support/canary";
import type { Row } from "../row.ts";
import type { Scene } from "../scene.ts";

/** Tells whether a path has become a directory below the working directory. */
const created = (): string =>
  ["~", "$HOME", "file:"].some((name) => existsSync(name)) ? "a directory is created" : "nothing is created";

const unexpanded = (name: string, path: (scene: Scene) => string): Row => ({
  situation: `\`path\` is ${name}`,
  expected: { happened: "nothing is created", saw: /^TypeError: fileStore: "path".*(Pass|pass)/ },
  async run(scene) {
    const saw = await outcome((async () => scene.open({ path: path(scene) }).getAccessToken())());
    return { saw, happened: created() };
  },
});

const named = (bytes: number): Row => ({
  situation: `the name of the session file has ${bytes} bytes`,
  expected: { happened: "0 exchanges", saw: /^(true$|STORE_UNAVAILABLE: .*name.*(long|short))/s },
  async run(scene) {
    const path = join(scene.directory, "home", "n".repeat(bytes));
    return {
      saw: await outcome(scene.open({ path }).signIn({ accessToken: canary("access", 1) })),
      happened: scene.exchanges,
    };
  },
});

export const pathRows: readonly Row[] = [
  unexpanded("`~/session.json`", () => "~/session.json"),
  unexpanded("`$HOME/session.json`", () => "$HOME/session.json"),
  unexpanded("a `file://` URL", ({ file }) => pathToFileURL(file).href),
  {
    situation: '`appName`, with `HOME=""` and a user without an entry in passwd',
    expected: { happened: "0 exchanges", saw: /^(TypeError|STORE_UNAVAILABLE): .*(path|XDG_STATE_HOME|HOME)/ },
    unable: () => (process.getuid?.() === 0 ? undefined : "needs root"),
    async run(scene) {
      const { folder } = scene.packed;
      const program = `import { fileStore } from ${JSON.stringify(pathToFileURL(join(folder, "node_modules/@unexpired/store-node/dist/index.js")).href)};
        process.setgid(54321);
        process.setuid(54321);
        try { await fileStore({ appName: "machines" }).save("x", undefined); console.log("saved"); }
        catch (error) { console.log((error.code ?? error.name) + ": " + error.message); }`;
      const env = { ...process.env, HOME: "", XDG_STATE_HOME: undefined };
      const args = ["--input-type=module", "--eval", program];
      const saw = execFileSync(process.execPath, args, { env, cwd: "/", encoding: "utf8" });
      return { saw: saw.trim(), happened: scene.exchanges };
    },
  },
  named(236),
  named(240),
  named(244),
  {
    situation: "the session's directory is a symbolic link to nothing",
    expected: { happened: "0 exchanges", saw: /^STORE_UNAVAILABLE: .*link/s },
    async run(scene) {
      symlinkSync(join(scene.directory, "nothing"), join(scene.directory, "link"));
      const path = join(scene.directory, "link", "session.json");
      return {
        saw: await outcome(scene.open({ path }).signIn({ accessToken: canary("access", 1) })),
        happened: scene.exchanges,
      };
    },
  },
];
