import { createTokenManager, describeRecord, memoryStore, TokenEndpointError } from "@unexpired/core";
import { CANARY } from "@unexpired-internal/test-support/canary";
import { expect, it } from "vitest";

const EXPIRES_AT = 4_000_000_000_000;
const record = (members: object) =>
  JSON.stringify({
    schema: 1,
    session: "one",
    obtainedAt: 0,
    spent: [],
    tokens: {
      accessToken: `${CANARY}-a`,
      refreshToken: `${CANARY}-r`,
      tokenType: "Bearer",
      expiresAt: EXPIRES_AT,
      extra: {},
    },
    ...members,
  });
const SLOW = { error: "slow_down" };
const attempt = { id: "1", digest: "d", claimedAt: 0, lease: 1, afterLoss: false, failures: 1 };

it.each([
  ["a session", {}, { status: "alive" }],
  ["a claim", { attempt: { ...attempt, status: "claimed", response: SLOW } }, { status: "refreshing" }],
  [
    "a failed refresh",
    { attempt: { ...attempt, status: "failed", response: SLOW } },
    { status: "retrying", reason: "slow_down" },
  ],
  ["a lost response", { attempt: { ...attempt, status: "lost" } }, { status: "retrying" }],
  ["a verdict", { dead: { reason: "session_expired" } }, { status: "dead", reason: "session_expired" }],
])("describes %s", (_, members, expected) => {
  const description = describeRecord(record(members));
  expect(description).toEqual({ reason: undefined, ...expected, expiresAt: EXPIRES_AT });
  expect(JSON.stringify(description)).not.toContain(CANARY);
});

it("describes a record without a session", () => {
  expect(describeRecord(record({ tokens: undefined }))).toEqual({
    status: "empty",
    reason: undefined,
    expiresAt: undefined,
  });
});

it.each(["", "{}", "not JSON", record({ schema: 2 })])("does not describe other text: %s", (text) => {
  expect(describeRecord(text)).toBeUndefined();
});

it("describes what a manager stores", async () => {
  const store = memoryStore();
  const refresh = async () => {
    throw new TokenEndpointError({ status: 503, error: "temporarily_unavailable", sent: true });
  };
  await using tokens = createTokenManager({ store, refresh });
  await tokens.signIn({ accessToken: `${CANARY}-a`, refreshToken: `${CANARY}-r`, expiresAt: 1 });
  await tokens.getAccessToken().catch(() => {});
  const retried = describeRecord((await store.load())?.value ?? "");
  expect(retried).toEqual({ status: "retrying", reason: "temporarily_unavailable", expiresAt: 1 });
  await tokens.signOut();
  const ended = describeRecord((await store.load())?.value ?? "");
  expect(ended).toEqual({ status: "dead", reason: "signed_out", expiresAt: undefined });
});
