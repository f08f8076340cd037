/** Holders that stop, end or stall in the middle of an exchange. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import type { Fault } from "@unexpired/testing";
import { outcome } from "@unexpired-internal/tables/outcome";
import type { Member } from "../member.ts";
import type { Row, Shown } from "../row.ts";
import type { Scene } from "../scene.ts";

const MINUTE = 60_000;
const ONE = "1 exchange, none presented twice, signed in";

/** Starts a process, and lets it begin an exchange, whose response is delayed. */
async function holder(scene: Scene, { launcher, ...fault }: Fault & { launcher?: string[] }) {
  await scene.signIn();
  const member = await scene.member(launcher ? { launcher } : {});
  scene.issuer.next(fault);
  const result = member.do("token").catch((error) => String(error));
  await scene.requested(1);
  return { member, result };
}

/** Measures how long a call takes. */
async function timed(result: Promise<string>): Promise<string> {
  const began = performance.now();
  const saw = await result;
  const seconds = (performance.now() - began) / 1000;
  return `${saw} within ${seconds < 2 ? "2 s" : `${Math.ceil(seconds)} s`}`;
}

/** Continues a stopped holder, and returns its outcome. */
async function resume(scene: Scene, stopped: Member, results: readonly Promise<string>[]): Promise<Shown> {
  stopped.signal("SIGCONT");
  const later = await Promise.all(results);
  return { happened: scene.exchanges, saw: `afterwards: ${[...new Set(later)].join("; ")}` };
}

/** The outcome that a process reported, which has to come before its lease ends. */
const outcomeText = (call: Promise<string>) => Promise.race([call, wait(25_000, "nothing within 25 s")]);

export const stoppedRows: readonly Row[] = [
  {
    situation:
      "the holder is stopped in mid-exchange past its lease (Ctrl-Z); another process needs a token, then it continues",
    expected: { happened: ONE, saw: /^REFRESH_FAILED.*process <pid>.*stopped.*; afterwards: a token$/s },
    async run(scene) {
      const { member, result } = await holder(scene, { delay: 200 });
      member.signal("SIGSTOP");
      const other = await scene.member({ ahead: MINUTE }); // by its clock, the lease is over
      const saw = await outcomeText(other.do("token"));
      const { happened, saw: later } = await resume(scene, member, [result]);
      return { happened, saw: `${saw}; ${later}` };
    },
  },
  {
    situation: "the same, and the holder is killed instead",
    expected: { happened: /^2 exchanges.* signed in$/, saw: "a token within 2 s" },
    async run(scene) {
      const { member } = await holder(scene, { delay: 60_000, status: 500 });
      member.signal("SIGSTOP");
      const other = await scene.member();
      const call = other.do("token");
      member.signal("SIGKILL");
      const saw = await timed(call);
      return { happened: scene.exchanges, saw };
    },
  },
  {
    situation: "a killed holder stays as a zombie, because its parent does not reap it",
    expected: { happened: /^2 exchanges.* signed in$/, saw: "a token within 2 s" },
    unable: () => (process.platform === "linux" ? undefined : "needs Linux"),
    async run(scene) {
      const launcher = ["sh", "-c", '"$0" "$@" & echo $! > "$PIDFILE"; exec sleep 600'];
      await scene.signIn();
      const pidFile = `${scene.directory}/pid`;
      const member = await scene.member({ launcher, env: { PIDFILE: pidFile } });
      scene.issuer.next({ delay: 60_000, status: 500 });
      void member.do("token").catch(() => {});
      await scene.requested(1);
      process.kill(Number(readFileSync(pidFile, "utf8")), "SIGKILL");
      const saw = await timed((await scene.member()).do("token"));
      return { happened: scene.exchanges, saw };
    },
  },
  {
    situation: "the holder was killed in mid-exchange, and another process has its pid",
    expected: { happened: /^2 exchanges.* signed in$/, saw: "a token within 2 s" },
    unable: () => (process.platform === "linux" ? undefined : "needs Linux"),
    async run(scene) {
      const { member } = await holder(scene, { delay: 60_000, status: 500 });
      const successor = await scene.member();
      member.signal("SIGKILL");
      // as if the operating system had given the successor the pid of the dead
      const store = scene.packed.storeNode.fileStore({ path: scene.file });
      const { value = "", version } = (await store.load()) ?? {};
      await store.save(
        value.replaceAll(`/${member.pid}/${member.pid}/`, `/${successor.pid}/${successor.pid}/`),
        version,
      );
      const saw = await timed((await scene.member()).do("token"));
      return { happened: scene.exchanges, saw };
    },
  },
  {
    situation: "an exchange has failed, and the store does not accept that; its process lives on",
    expected: {
      happened: /^2 exchanges.* signed in$/,
      saw: /^REFRESH_FAILED.*; another: a token within ([2-9]|1\d) s$/s,
    },
    async run(scene) {
      await scene.signIn();
      const file = scene.packed.storeNode.fileStore({ path: scene.file });
      let saves = 0;
      const save = (value: string, expected: string | undefined) =>
        ++saves === 2 ? Promise.reject(new Error("a full disk")) : file.save(value, expected);
      const { supports, holder: identity } = file;
      const rest = { supports, remove: () => file.remove(), describe: () => file.describe() };
      const store = { load: () => file.load(), save, ...rest, ...(identity && { holder: identity }) };
      scene.issuer.next({ status: 503 });
      const saw = await outcome(scene.open({ store }).getAccessToken());
      const other = await scene.member();
      const began = performance.now();
      let then = await other.do("token");
      while (then !== "a token" && performance.now() - began < 20_000) {
        await wait(250);
        then = await other.do("token");
      }
      const seconds = Math.max(2, Math.ceil((performance.now() - began) / 1000));
      return { happened: scene.exchanges, saw: `${saw}; another: ${then} within ${seconds} s` };
    },
  },
  {
    situation: "a worker thread is terminated in mid-exchange, and its process continues",
    expected: { happened: ONE, saw: "a token within 2 s" },
    async run(scene) {
      await scene.signIn();
      const member = await scene.member();
      const saw = await timed(member.do("thread"));
      return { happened: scene.exchanges, saw };
    },
  },
  {
    situation: "the event loop is blocked past the exchange's deadline; the response is in the socket's buffer",
    expected: { happened: ONE, saw: "a token" },
    async run(scene) {
      await scene.signIn();
      const member = await scene.member({ timeout: 1_000 });
      scene.issuer.next({ delay: 300 });
      const saw = await member.do("block");
      return { happened: scene.exchanges, saw };
    },
  },
  {
    situation: "the process is stopped past the exchange's deadline; the server had responded",
    expected: { happened: ONE, saw: "a token" },
    async run(scene) {
      await scene.signIn();
      const member = await scene.member({ timeout: 1_000 });
      scene.issuer.next({ delay: 300 });
      const result = member.do("token");
      await scene.requested(1);
      member.signal("SIGSTOP");
      await wait(2_000);
      member.signal("SIGCONT");
      return { happened: scene.exchanges, saw: await result };
    },
  },
  {
    situation: "/proc belongs to another PID namespace; two processes inside, one exchange in flight",
    expected: { happened: `${ONE}; the claim names no process`, saw: "a token, a token" },
    unable: () => (process.platform === "linux" && process.getuid?.() === 0 ? undefined : "needs root on Linux"),
    run: withForeignProc,
  },
];

async function withForeignProc(scene: Scene): Promise<Shown> {
  const keeper = spawn("unshare", ["--pid", "--fork", "sh", "-c", "echo ready; exec sleep 600"], { stdio: "pipe" });
  scene.atEnd(() => keeper.kill("SIGKILL"));
  await once(keeper.stdout, "data");
  const launcher = ["nsenter", "--target", String(await childOf(keeper.pid ?? 0)), "--pid"];
  const { result } = await holder(scene, { delay: 1_500, launcher });
  const { attempt } = await scene.record();
  const names = (attempt as { holder?: string }).holder === undefined ? "no process" : "a process";
  const other = await scene.member({ launcher });
  const saw = await Promise.all([result, other.do("token")]);
  return { happened: `${scene.exchanges}; the claim names ${names}`, saw: saw.join(", ") };
}

async function childOf(pid: number): Promise<number> {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ")[0]);
}
