import type { Adapter, AdapterFactory, AdapterPayload } from "oidc-provider";

/** Keeps the grants and tokens of a provider in memory. The provider itself checks whether they have expired. */
export function createMemoryAdapter(): AdapterFactory {
  const payloads = new Map<string, AdapterPayload>();
  return (model) => adapterFor(model, payloads);
}

function adapterFor(model: string, payloads: Map<string, AdapterPayload>): Adapter {
  const key = (id: string) => `${model}:${id}`;
  return {
    async upsert(id, payload) {
      payloads.set(key(id), payload);
    },
    async find(id) {
      return payloads.get(key(id));
    },
    async findByUid(uid) {
      return [...payloads.values()].find((payload) => payload.uid === uid);
    },
    async findByUserCode(userCode) {
      return [...payloads.values()].find((payload) => payload.userCode === userCode);
    },
    async consume(id) {
      const payload = payloads.get(key(id));
      if (payload) payload.consumed = Math.floor(Date.now() / 1000);
    },
    async destroy(id) {
      payloads.delete(key(id));
    },
    async revokeByGrantId(grantId) {
      for (const [id, payload] of payloads) if (payload.grantId === grantId) payloads.delete(id);
    },
  };
}
