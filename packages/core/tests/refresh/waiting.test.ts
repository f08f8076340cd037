import { expect, it } from "vitest";
import { canary } from "../../../../verification/end-to-end/support/canary.ts";
import { settle } from "../../../testing/src/virtual-clock.ts";
import { StoreConflictError } from "../../src/index.ts";
import { attempt, withoutWatch, write } from "../support/interference.ts";
import { startSession } from "../support/session.ts";

/** Somebody else's exchange is in flight, one of ours waits for it, and at last it is over. */
async function waitForTheirs({ watches }: { readonly watches: boolean }) {
  const { clock, open, signIn, store } = startSession();
  if (!watches) withoutWatch(store);
  await signIn(0);
  await write(store, (record) => ({ ...record, attempt: attempt(1) }));
  let token: string | undefined;
  void open()
    .getAccessToken()
    .then((given) => {
      token = given;
    });
  await clock.advance(1_000);
  const tokens = {
    accessToken: canary("access", 7),
    refreshToken: canary("refresh", 7),
    tokenType: "Bearer",
    extra: {},
  };
  await write(store, (record) => ({ ...record, attempt: undefined, renewed: true, tokens }));
  await settle();
  return { clock, token: () => token };
}

it("looks at once where the store tells of a change", async () => {
  const { token } = await waitForTheirs({ watches: true });
  expect(token()).toBe(canary("access", 7));
});

it("looks again every 25 ms where the store tells of none", async () => {
  const { clock, token } = await waitForTheirs({ watches: false });
  expect(token()).toBeUndefined();
  await clock.advance(25);
  expect(token()).toBe(canary("access", 7));
});

it("leaves others their turn where the store refuses every claim and never says who was first (P15)", async () => {
  const { open, signIn, store } = startSession();
  withoutWatch(store);
  await signIn(0);
  let refusals = 0;
  store.save = async () => {
    refusals++;
    if (refusals > 1_000) return new Promise(() => {}); // lets the test end where nothing else does
    throw new StoreConflictError("The store");
  };
  void open().getAccessToken();
  for (let turn = 0; turn < 50; turn++) await settle();
  expect(refusals).toBe(1);
});
