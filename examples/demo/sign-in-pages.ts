/** The pages of the authorization server on which users sign in. Any name is a user, and there are no passwords. */
import { text } from "node:stream/consumers";
import type { Configuration, InteractionResults, KoaContextWithOIDC, Provider } from "oidc-provider";

type Context = Pick<KoaContextWithOIDC, "req" | "res">;

const DEVICE_CODE_SECONDS = 600;
/** The seconds between two polls that the server asks for. If it does not say, clients wait for 5. */
const DEVICE_INTERVAL = 1;

const page = (title: string, body: string) =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title><h1>${title}</h1>${body}</html>`;

const SIGN_IN_PAGE = page(
  "Sign in",
  `<form method="post"><label>Name <input name="name" value="ada" autofocus></label>
<button name="decision" value="accept">Sign in</button> <button name="decision" value="refuse">Refuse</button></form>`,
);

/** The pages of the device authorization grant. `form` has the ID `op.deviceInputForm` or `op.deviceConfirmForm`. */
export const deviceFlow: NonNullable<NonNullable<Configuration["features"]>["deviceFlow"]> = {
  enabled: true,
  userCodeInputSource(...[ctx, form, , error]) {
    const problem = error ? "<p>There is no such code.</p>" : "";
    ctx.body = page(
      "Enter the code",
      `${problem}${form}<button type="submit" form="op.deviceInputForm">Go on</button>`,
    );
  },
  userCodeConfirmSource(...[ctx, form, , , userCode]) {
    const buttons = ["Confirm", "Abort"].map((label) => {
      const name = label === "Abort" ? 'name="abort" value="yes"' : "";
      return `<button type="submit" form="op.deviceConfirmForm" ${name}>${label}</button>`;
    });
    ctx.body = page("Confirm the code", `<p>${userCode}</p>${form}${buttons.join(" ")}`);
  },
  successSource(ctx) {
    ctx.body = page("Signed in", "<p>Go back to the device.</p>");
  },
};

/** The lifetimes that users who sign in need. */
export const signInLifetimes = { DeviceCode: DEVICE_CODE_SECONDS, Interaction: 3600, Session: 3600 };

/** Serves the page for signing in, and calls back with each grant that a user gives. */
export function serveSignInPages(provider: Provider, onGrant: (grantId: string) => void): void {
  provider.use(async (ctx, next) => {
    if (!ctx.path.startsWith("/interaction/")) return next();
    if (ctx.method !== "POST") {
      ctx.body = SIGN_IN_PAGE;
      return;
    }
    const form = new URLSearchParams(await text(ctx.req));
    const isAccepted = form.get("decision") === "accept";
    const result = isAccepted ? await accept(provider, ctx, form.get("name") || "ada") : REFUSAL;
    if (result.consent?.grantId) onGrant(result.consent.grantId);
    ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, result, { mergeWithLastSubmission: false }));
  });
  provider.use(async (ctx, next) => {
    await next();
    if (ctx.path === "/device/auth" && ctx.status === 200)
      Object.assign(ctx.body as object, { interval: DEVICE_INTERVAL });
  });
}

const REFUSAL: InteractionResults = { error: "access_denied", error_description: "The user refused." };

async function accept(provider: Provider, { req, res }: Context, accountId: string): Promise<InteractionResults> {
  const { params } = await provider.interactionDetails(req, res);
  const grant = new provider.Grant({ clientId: String(params.client_id), accountId });
  grant.addOIDCScope(String(params.scope));
  return { login: { accountId }, consent: { grantId: await grant.save() } };
}
