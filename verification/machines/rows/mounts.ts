/** Session files and home directories that are mounted. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { outcome } from "@unexpired-internal/tables/outcome";
import { mount, mountHome, isMountingImpossible as unable } from "../mount.ts";
import type { Row } from "../row.ts";
import type { Scene } from "../scene.ts";

/** Mounts the session file alone at another path, as `docker run -v file:file` does. */
async function mountFile(scene: Scene, ...options: string[]): Promise<string> {
  await scene.signIn();
  const file = join(scene.directory, "container", "session.json");
  mkdirSync(dirname(file));
  writeFileSync(file, "");
  mount("--bind", scene.file, file);
  scene.atEnd(() => execFileSync("umount", ["--lazy", file], { stdio: "ignore" }));
  if (options.length > 0) mount("-o", options.join(), file);
  return file;
}

const single = (name: string, ...options: string[]): Row => ({
  situation: `the session file alone is mounted into a container, ${name}: it refreshes, then the host does`,
  expected: {
    happened: "1 exchange, none presented twice, signed in",
    saw: /^container: STORE_UNAVAILABLE: .*Mount its directory instead.*"stateDirectory".*; host: a token$/s,
  },
  unable,
  async run(scene) {
    const path = await mountFile(scene, ...options);
    const container = await outcome(scene.open({ path }).getAccessToken());
    return {
      saw: `container: ${container}; host: ${await outcome(scene.open().getAccessToken())}`,
      happened: scene.exchanges,
    };
  },
});

export const mountRows: readonly Row[] = [
  single("writable"),
  single("read-only", "remount", "bind", "ro"),
  {
    situation: "a session that is alive is read from such a mount, as from a Kubernetes secret",
    expected: { happened: "1 exchange, none presented twice, signed in", saw: "a token" },
    unable,
    async run(scene) {
      await scene.signIn();
      const tokens = scene.open();
      await tokens.getAccessToken();
      await tokens.close();
      const file = join(scene.directory, "secret.json");
      writeFileSync(file, "");
      mount("--bind", scene.file, file);
      mount("-o", "remount,bind,ro", file);
      scene.atEnd(() => execFileSync("umount", ["--lazy", file], { stdio: "ignore" }));
      return { saw: await outcome(scene.open({ path: file }).getAccessToken()), happened: scene.exchanges };
    },
  },
  {
    situation: "the same mount, and both sides name a `stateDirectory` that they share",
    expected: { happened: "1 exchange, none presented twice, signed in", saw: "a token, a token" },
    unable,
    async run(scene) {
      const path = await mountFile(scene);
      const stateDirectory = join(scene.directory, "shared");
      const open = (each: string) =>
        scene.packed.core.createTokenManager({
          store: scene.packed.storeNode.fileStore({ path: each, stateDirectory }),
          refresh: scene.refresh(),
        });
      const sides = [open(path), open(scene.file)];
      scene.atEnd(() => Promise.all(sides.map((side) => side.close())));
      scene.issuer.next({ delay: 200 });
      const saw = await Promise.all(sides.map((side) => outcome(side.getAccessToken())));
      return { saw: saw.join(", "), happened: scene.exchanges };
    },
  },
  {
    situation: "the same, and others may read the mounted file",
    expected: { happened: /^1 exchange, .*signed in; the mounted file is as it was$/, saw: "a token, a token" },
    unable,
    async run(scene) {
      const path = await mountFile(scene, "remount", "bind", "ro"); // read-only, so that its mode stays
      chmodSync(scene.file, 0o644);
      const before = readFileSync(path, "utf8");
      const stateDirectory = join(scene.directory, "shared");
      const store = () => scene.packed.storeNode.fileStore({ path, stateDirectory });
      const saw = [await outcome(scene.open({ store: store() }).getAccessToken())];
      saw.push(await outcome(scene.open({ store: store() }).getAccessToken()));
      const isSame = readFileSync(path, "utf8") === before;
      return {
        saw: saw.join(", "),
        happened: `${scene.exchanges}; the mounted file is ${isSame ? "as it was" : "new"}`,
      };
    },
  },
  {
    situation: "a session in an image layer (overlayfs) is removed",
    expected: { happened: "nothing is stored", saw: "done" },
    unable,
    async run(scene) {
      const home = mountHome(scene, "size=4m");
      const at = (name: string) => join(home, name);
      for (const name of ["lower", "upper", "work", "merged"]) mkdirSync(at(name));
      await scene.signIn(join(at("lower"), "state", "session.json"));
      mount(
        "-t",
        "overlay",
        "overlay",
        "-o",
        `lowerdir=${at("lower")},upperdir=${at("upper")},workdir=${at("work")}`,
        at("merged"),
      );
      scene.atEnd(() => execFileSync("umount", ["--lazy", at("merged")], { stdio: "ignore" }));
      const store = scene.packed.storeNode.fileStore({ path: join(at("merged"), "state", "session.json") });
      await store.load();
      const saw = await outcome(store.remove());
      return { saw, happened: (await store.load()) === undefined ? "nothing is stored" : "a session is stored" };
    },
  },
];

/** The keychain's chain in a home directory that two machines share. */
export const sharedHomeRow: Row = {
  situation: "two machines share a home directory, and each keeps its session in its own keychain",
  expected: { happened: "both signed in", saw: "a token, a token" },
  unable,
  async run(scene) {
    const env = { HOME: dirname(scene.file), XDG_STATE_HOME: join(dirname(scene.file), "state") };
    const id = join(scene.directory, "machine-id");
    writeFileSync(id, "0123456789abcdef0123456789abcdef\n");
    const script = `hostname another-machine; test -e /etc/machine-id && mount --bind ${id} /etc/machine-id; exec "$0" "$@"`;
    const launcher = ["unshare", "--uts", "--mount", "--propagation", "private", "sh", "-c", script];
    const options = { keychain: "memory", env };
    const machines = [await scene.member(options), await scene.member({ ...options, launcher })];
    const signedIn: string[] = [];
    for (const machine of machines) signedIn.push(await machine.do("signIn"));
    const saw: string[] = [];
    for (const machine of machines) saw.push(await machine.do("token"));
    const isBoth = signedIn.every((stored) => stored === "true");
    return { saw: saw.join(", "), happened: isBoth ? "both signed in" : signedIn.join("; ") };
  },
};
