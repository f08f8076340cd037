import { canary } from "@unexpired-internal/test-support/canary";
import { VirtualClock } from "@unexpired-internal/test-support/virtual-clock";
import { TokenEndpointError } from "../../src/errors.ts";
import { digestOf, type SessionRecord, serializeRecord } from "../../src/record/record.ts";
import { RecordStore } from "../../src/record/record-store.ts";
import { PendingChanges } from "../../src/refresh/pending-changes.ts";
import { RefreshProtocol } from "../../src/refresh/protocol.ts";
import type { RefreshHost, RenewalGoal } from "../../src/refresh/renewal.ts";
import { memoryStore } from "../../src/stores/memory-store.ts";
import { genericProvider } from "../../src/token-endpoint/providers.ts";
import type { ProviderProfile, SessionEvent } from "../../src/types.ts";
import { Issuer } from "./issuer.ts";
import { NOW, recordOf, tokens } from "./machine.ts";

export type EndpointError = ConstructorParameters<typeof TokenEndpointError>[0];

/** The digest of the refresh token of this generation. */
export const digest = (generation: number) => digestOf(canary("refresh", generation));
/** A record that holds the tokens of this generation. */
export const recordWith = (generation: number, more: Partial<SessionRecord> = {}) =>
  recordOf({
    tokens: tokens({ accessToken: canary("access", generation), refreshToken: canary("refresh", generation) }),
    ...more,
  });
export const GOAL: RenewalGoal = { replacing: canary("access", 1), reason: "call" };
/** A caller waits for the refresh. */
export const urgent = () => true;
/** No caller waits for the refresh. */
export const idle = () => false;

interface ProtocolOptions {
  readonly profile?: Partial<ProviderProfile>;
  readonly account?: string;
}

/** Starts a protocol over a store that holds `first`, and whose session knows that record. */
export async function startProtocol(first = recordOf(), { profile = {}, account }: ProtocolOptions = {}) {
  const clock = new VirtualClock(NOW);
  const store = memoryStore();
  const records = new RecordStore(store, { accountOf: () => undefined, clock });
  await store.save(serializeRecord(first), undefined);
  const issuer = new Issuer();
  const observed: [string | undefined, string][] = [];
  const announced: SessionEvent[] = [];
  const known = { record: first as SessionRecord | undefined, isUsable: false, isDue: true };
  const host: RefreshHost = {
    get session() {
      return { record: known.record, account };
    },
    isUsable: ({ tokens: set }) => set !== undefined && known.isUsable,
    isDue: ({ tokens: set }) => set !== undefined && known.isDue,
    isInsufficient: () => false,
    observe: (record, source) => observed.push([record?.tokens?.accessToken ?? record?.dead?.reason, source]),
    announce: (event) => announced.push(event),
  };
  const deps = {
    records,
    clock,
    holder: undefined,
    refresh: issuer.refresh,
    profile: { ...genericProvider, ...profile },
  };
  const pending = new PendingChanges(deps, host);
  const protocol = new RefreshProtocol(deps, host, pending);
  const put = async (record: SessionRecord) =>
    void (await store.save(serializeRecord(record), (await store.load())?.version));
  const stored = async () => (await records.load())?.record;
  const failNext = (details: EndpointError) => issuer.next(() => new TokenEndpointError(details), { before: true });
  return { clock, failNext, issuer, known, pending, protocol, put, observed, store, stored, announced };
}

/** Records when the store is loaded, in milliseconds from now. */
export function recordLoadTimes(store: ReturnType<typeof memoryStore>, clock: VirtualClock): number[] {
  const times: number[] = [];
  const { load } = store;
  const begin = clock.monotonic();
  store.load = () => {
    times.push(clock.monotonic() - begin);
    return load();
  };
  return times;
}
