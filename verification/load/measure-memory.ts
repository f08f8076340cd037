import type { IssuedTokens } from "./authorization.ts";
import type { AuthorizationConfig } from "./authorization-process.ts";
import type { ServerConfig } from "./backend.ts";
import { Child } from "./child.ts";
import type { EngineConfig } from "./engine.ts";
import type { MemoryReport } from "./memory.ts";

const LIFETIME = 3_600; // seconds

/** Measures the memory of some sessions on an engine. */
export async function measureMemory(engine: EngineConfig, count: number): Promise<MemoryReport> {
  const settings: AuthorizationConfig = { lifetime: LIFETIME, grace: 0, latency: 0 };
  await using authorization = new Child("authorization-process.ts", settings);
  const origin = await authorization.call<string>("origin");
  const config: ServerConfig = { backend: "unexpired", engine, origin, client: "memory", grace: 0 };
  await using child = new Child("memory.ts", config, ["--expose-gc"]);
  const signIn = async (user: string) => {
    const tokens = await authorization.call<IssuedTokens>("start", { user, lifetime: LIFETIME });
    await child.call("signIn", { user, tokens });
    return user;
  };
  const signInAll = (name: string, number: number) =>
    Promise.all(Array.from({ length: number }, (_, index) => signIn(`${name}-${index}`)));
  const [users, others] = await Promise.all([signInAll("user", count), signInAll("other", count / 4)]);
  return await child.call<MemoryReport>("measure", { users, others });
}
