import { keyRing, type SealingKey, sealed, type TokenStore } from "@unexpired/core";
import { outcome } from "@unexpired-internal/tables/outcome";
import type { Row } from "../row.ts";
import type { Member, Scene } from "../scene.ts";

const newKey = (id: string): SealingKey => ({ id, key: crypto.getRandomValues(new Uint8Array(32)) });
const USERS = 20;
const CALLERS = 4;

/** Wraps the stores of a process, each under the name of its key. */
const sealing = (...keys: readonly SealingKey[]) => {
  const ring = keyRing(keys);
  return (store: TokenStore, key: string) => sealed(store, { keys: ring, name: key });
};

const users = Array.from({ length: USERS }, (_, user) => user);

/** Refreshes the sessions of all users again and again, at two processes at once. Returns the outcomes. */
async function refreshAll(scene: Scene, members: readonly [Member, Member]): Promise<string[]> {
  const outcomes: string[] = [];
  for (let caller = 0; caller < CALLERS; caller++) {
    const memberOf = (user: number) => members[(user + caller) % 2 === 0 ? 0 : 1];
    const results = users.map((user) => outcome(memberOf(user).sessions.get(scene.key(user)).refresh()));
    outcomes.push(...(await Promise.all(results)));
  }
  return outcomes;
}

/** Replaces the processes one after the other while calls go on, each time by those with the next keys. */
async function rotateUnderLoad(scene: Scene, steps: readonly (readonly SealingKey[])[]) {
  let previous = scene.start({ wrap: sealing(...(steps[0] ?? [])) });
  for (const user of users) await scene.signIn(previous, user);
  const outcomes: string[] = [];
  for (const keys of steps) {
    const next = scene.start({ wrap: sealing(...keys) });
    outcomes.push(...(await refreshAll(scene, [previous, next])));
    await previous.close();
    previous = next;
  }
  const failures = new Set(outcomes.filter((each) => each !== "a token"));
  return `${outcomes.length} calls, failures: ${[...failures].join("; ") || "none"}`;
}

/** The IDs of the keys with which the sessions of all users are sealed. */
async function keysInUse(scene: Scene): Promise<string> {
  const ids = new Set<string>();
  for (const user of users) {
    const [, id = ""] = (await scene.database.read(scene.key(user))).split(".");
    ids.add(Buffer.from(id, "base64url").toString());
  }
  return [...ids].join(", ");
}

export const keyRows: readonly Row[] = [
  {
    situation: "a key for sealing replaced by another one under load, step by step",
    expected: { happened: /^\d+ exchanges, 0 replays, 0 revoked; sealed with: new$/, saw: "failures: none" },
    async run(scene) {
      const [old, next] = [newKey("old"), newKey("new")];
      const saw = await rotateUnderLoad(scene, [
        [old],
        [old, next], // all can read what the next ones seal
        [next, old],
        [next, old], // everything is sealed again once no process seals with the old key any more
        [next],
      ]);
      return {
        saw,
        happened: `${scene.exchanges}; sealed with: ${await keysInUse(scene)}`,
      };
    },
  },
  {
    situation: "a key taken away before everything was sealed again",
    expected: {
      happened: "0 exchanges, 0 replays, 0 revoked; with the key back: a token",
      saw: 'STORE_UNREADABLE: … is sealed with the key "old", which is not among the keys of this process. Add that key',
    },
    async run(scene) {
      const [old, next] = [newKey("old"), newKey("new")];
      await scene.signIn(scene.start({ wrap: sealing(old) }), "ada");
      const tokenWith = (...keys: readonly SealingKey[]) =>
        outcome(
          scene
            .start({ wrap: sealing(...keys) })
            .sessions.get(scene.key("ada"))
            .getAccessToken(),
        );
      const saw = (await tokenWith(next)).replace(/: The .*? is sealed/, ": … is sealed");
      const { exchanges } = scene;
      return { saw, happened: `${exchanges}; with the key back: ${await tokenWith(next, old)}` };
    },
  },
  {
    situation: "what is stored for two users exchanged by hand, sealed",
    expected: {
      happened: "0 exchanges, 0 replays, 0 revoked; put back: a token, a token",
      saw: /^(STORE_UNREADABLE: [^;]*it was changed, or sealed under another name[^;]*; ){2}$/,
    },
    async run(scene) {
      const wrap = sealing(newKey("only"));
      const member = scene.start({ wrap });
      for (const user of ["ada", "bob"]) await scene.signIn(member, user);
      const tokens = async (user: string) =>
        outcome(scene.start({ wrap }).sessions.get(scene.key(user)).getAccessToken());
      await scene.database.swap(scene.key("ada"), scene.key("bob"));
      const saw = `${await tokens("ada")}; ${await tokens("bob")}; `;
      const { exchanges } = scene;
      await scene.database.swap(scene.key("ada"), scene.key("bob"));
      return { saw, happened: `${exchanges}; put back: ${await tokens("ada")}, ${await tokens("bob")}` };
    },
  },
  {
    situation: "the same, not sealed: a process that knows the account refuses it",
    expected: {
      happened: "0 exchanges, 0 replays, 0 revoked",
      saw: "SIGN_IN_REQUIRED account_changed",
    },
    async run(scene) {
      const account = ({ accessToken }: { readonly accessToken: string }) => accessToken.split(".")[0];
      const member = scene.start({ account });
      for (const user of ["ada", "bob"])
        await member.sessions.signIn(scene.key(user), { ...scene.issuer.signIn(), expiresAt: Date.now() + 60_000 });
      await scene.database.swap(scene.key("ada"), scene.key("bob"));
      const ada = member.sessions.get(scene.key("ada"));
      await ada.hasSession();
      return { saw: await outcome(ada.getAccessToken()), happened: scene.exchanges };
    },
  },
];
