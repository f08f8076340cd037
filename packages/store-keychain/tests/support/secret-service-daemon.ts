import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);
const SERVICE_PATH = "/org/freedesktop/secrets";
const IS_NAME_OWNED =
  "dbus-send --session --print-reply --dest=org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus.GetNameOwner string:org.freedesktop.secrets >/dev/null";
const START_DAEMON = [
  'printf "\\n" | gnome-keyring-daemon --unlock --components=secrets >/dev/null',
  // A query before the daemon owns its name would make D-Bus start a second daemon, which is locked.
  `until ${IS_NAME_OWNED}; do sleep 0.02; done`,
  'echo "$DBUS_SESSION_BUS_ADDRESS"',
].join(" && ");
/** Starts the service; then, for each process ID on stdin, kills that process and starts the service again. */
const START_AND_RESTART = `${START_DAEMON} && while read -r pid; do kill -9 "$pid"; while ${IS_NAME_OWNED}; do sleep 0.02; done; ${START_DAEMON}; done`;

const isInstalled = (program: string, ...args: string[]) => spawnSync(program, args).status === 0;

/** Returns why the tests with a real Secret Service cannot run here, or `undefined` if they can. */
export function secretServiceSkipReason(): string | undefined {
  if (process.platform !== "linux") return "not applicable: Linux only";
  if (!isInstalled("dbus-run-session", "--version")) return "needs dbus-run-session: apt-get install dbus";
  if (!isInstalled("gnome-keyring-daemon", "--version")) return "needs gnome-keyring: apt-get install gnome-keyring";
  if (!isInstalled("which", "secret-tool")) return "needs secret-tool: apt-get install libsecret-tools";
  return undefined;
}

/** Returns why keytar cannot be used here, or `undefined` if it can. Compiles it if it has no binary. */
export function keytarSkipReason(): string | undefined {
  const folder = dirname(require.resolve("keytar/package.json"));
  const binary = join(folder, "build/Release/keytar.node");
  if (existsSync(binary)) return undefined;
  const flags = spawnSync("pkg-config", ["--cflags", "--libs", "libsecret-1"], { encoding: "utf8" });
  if (flags.status !== 0) return "needs libsecret: apt-get install libsecret-1-dev pkg-config";
  const headers = [dirname(require.resolve("node-api-headers/package.json")), "include"];
  const addon = dirname(createRequire(join(folder, "package.json")).resolve("node-addon-api/package.json"));
  mkdirSync(dirname(binary), { recursive: true });
  const built = `${binary}.${process.pid}`;
  const sources = ["async.cc", "main.cc", "keytar_posix.cc"].map((name) => join(folder, "src", name));
  const options = ["-O1", "-shared", "-fPIC", "-std=c++17", "-DNAPI_VERSION=8", "-DNODE_GYP_MODULE_NAME=keytar"];
  const includes = [`-I${join(...headers)}`, `-I${addon}`];
  const args = [...options, ...includes, ...sources, "-o", built, ...flags.stdout.trim().split(/\s+/)];
  const compiler = spawnSync("g++", args, { encoding: "utf8" });
  if (compiler.status !== 0) return `needs a compiler for keytar: apt-get install g++ (${compiler.stderr ?? ""})`;
  renameSync(built, binary); // atomic, because other tests may compile it at the same time
  return undefined;
}

async function nextLine({ stdout }: ChildProcess): Promise<string> {
  let line = "";
  while (!line.endsWith("\n")) {
    const [text] = stdout ? await once(stdout.setEncoding("utf8"), "data") : [];
    line += text;
  }
  return line.trim();
}

/** A Secret Service for tests, with an unlocked collection in a separate home directory. */
export class SecretServiceDaemon implements AsyncDisposable {
  readonly address: string;
  readonly #home: string;
  readonly #session: ChildProcess;

  private constructor(address: string, { home, session }: { home: string; session: ChildProcess }) {
    this.address = address;
    this.#home = home;
    this.#session = session;
  }

  static async start(): Promise<SecretServiceDaemon> {
    const home = mkdtempSync(join(tmpdir(), "unexpired-secrets-"));
    const env = { ...process.env, HOME: home, XDG_RUNTIME_DIR: home, XDG_DATA_HOME: home, XDG_CACHE_HOME: home };
    const session = spawn("dbus-run-session", ["--", "sh", "-c", START_AND_RESTART], {
      env,
      stdio: ["pipe", "pipe", "ignore"],
    });
    return new SecretServiceDaemon(await nextLine(session), { home, session });
  }

  /** Kills the service's process, and starts a new one on the same bus with the same items. */
  async restart(): Promise<void> {
    this.#session.stdin?.write(`${this.pid}\n`);
    await nextLine(this.#session);
  }

  /**
   * Returns the accounts of a service's items from both packages. (keytar's findCredentials crashes on foreign items.)
   */
  accountsOf(name: string): string[] {
    const env = { ...process.env, DBUS_SESSION_BUS_ADDRESS: this.address };
    const { stdout, stderr } = spawnSync("secret-tool", ["search", "--all", "service", name], {
      env,
      encoding: "utf8",
      maxBuffer: Number.POSITIVE_INFINITY, // it prints the secrets, too
    });
    return [...`${stdout}${stderr}`.matchAll(/^attribute\.(?:account|username) = (.*)$/gm)].map(
      ([, account = ""]) => account,
    );
  }

  /** Stores an item with the attributes of `@napi-rs/keyring`. */
  store({ service, account, secret }: { service: string; account: string; secret: string }): void {
    this.storeItem(["service", service, "username", account], secret);
  }

  /** Stores an item, or replaces the one with the same attributes: names and values alternate. */
  storeItem(attributes: readonly string[], secret: string | Buffer): void {
    const stored = this.#run(["store", "--label=canary label", ...attributes], secret);
    if (stored.status !== 0) throw new Error(`secret-tool: ${stored.stderr}`);
  }

  /** Returns the secret of the item with these attributes, as another program reads it. */
  lookUp(attributes: readonly string[]): string | undefined {
    const { status, stdout } = this.#run(["lookup", ...attributes]);
    return status === 0 ? stdout : undefined;
  }

  /** Returns the label of the item with these attributes. */
  labelOf(attributes: readonly string[]): string | undefined {
    return /^label = (.*)$/m.exec(this.#run(["search", ...attributes]).stdout)?.[1];
  }

  #run(args: readonly string[], input?: string | Buffer) {
    const env = { ...process.env, DBUS_SESSION_BUS_ADDRESS: this.address };
    return spawnSync("secret-tool", args, { env, encoding: "utf8", ...(input === undefined ? {} : { input }) });
  }

  /** Locks its default collection. */
  lock(): void {
    this.#send(SERVICE_PATH, "org.freedesktop.Secret.Service.Lock", [`array:objpath:${SERVICE_PATH}/collection/login`]);
  }

  /** Makes the in-memory collection, which is never locked, the default one. */
  useMemoryCollection(): void {
    const args = ["string:default", `objpath:${SERVICE_PATH}/collection/session`];
    this.#send(SERVICE_PATH, "org.freedesktop.Secret.Service.SetAlias", args);
  }

  /** The ID of the service's process. */
  get pid(): number {
    const reply = this.#send("/org/freedesktop/DBus", "org.freedesktop.DBus.GetConnectionUnixProcessID", [
      "string:org.freedesktop.secrets",
    ]);
    return Number(/uint32 (\d+)/.exec(reply)?.[1]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#session, "exit");
    this.#session.stdin?.end();
    await ended;
    rmSync(this.#home, { recursive: true, force: true });
  }

  #send(path: string, method: string, args: readonly string[]): string {
    const destination = path.endsWith("DBus") ? "org.freedesktop.DBus" : "org.freedesktop.secrets";
    const env = { ...process.env, DBUS_SESSION_BUS_ADDRESS: this.address };
    const options = ["--session", "--print-reply", `--dest=${destination}`, path, method, ...args];
    const sent = spawnSync("dbus-send", options, { env, encoding: "utf8" });
    if (sent.status !== 0) throw new Error(`dbus-send: ${sent.stderr}`);
    return sent.stdout;
  }
}
