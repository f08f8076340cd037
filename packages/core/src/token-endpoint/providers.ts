import type { ProviderProfile } from "../types.ts";

/** A server of which nothing is known: rotation and no grace, as RFC 9700 §4.14.2 describes it. */
export const genericProvider: ProviderProfile = /* @__PURE__ */ Object.freeze({
  rotation: true,
  graceSeconds: 0,
  replayReturns: "new",
  afterLoss: "retry",
  terminalCodes: /* @__PURE__ */ Object.freeze([]),
});

const profile = (known: Partial<ProviderProfile>): ProviderProfile => Object.freeze({ ...genericProvider, ...known });
const codes = (...names: string[]): readonly string[] => Object.freeze(names);

/**
 * What is publicly known about some authorization servers, for the option `provider`. Nearly every figure is a setting
 * of the tenant: where yours differs, say so (`{ ...providers.okta, graceSeconds: 0 }`). Where none is documented, we
 * assume rotation and no grace: no spent refresh token is presented while the access token is usable. Codes that name
 * the refresh token (`bad_refresh_token`, `refresh_token_already_used`, …) end a session with every profile, and are not
 * repeated here.
 */
export const providers = /* @__PURE__ */ Object.freeze({
  /** Nothing is known: the default. {@link https://www.rfc-editor.org/rfc/rfc9700#section-4.14.2 RFC 9700 §4.14.2}. */
  generic: genericProvider,

  /**
   * As `generic`, but no refresh token is ever presented twice: a lost answer ends the session, once its access token
   * does. For servers where a replay costs more than the session. Our choice, of no provider's documentation.
   */
  strict: /* @__PURE__ */ profile({ afterLoss: "sign-in" }),

  /**
   * {@link https://auth0.com/docs/secure/tokens/refresh-tokens/configure-refresh-token-rotation Auth0, "Configure
   * Refresh Token Rotation"}: rotation and the "rotation overlap period" (`leeway`) are settings of the application;
   * "by default leeway is disabled". Within it only the previous token is answered, with a new one.
   */
  auth0: genericProvider,

  /**
   * {@link https://developer.okta.com/docs/guides/refresh-tokens/main/ Okta, "Refresh access tokens"}: rotation is the
   * default of single-page apps only, and a setting of the others; its grace period defaults to 30 seconds and can be
   * set from 0 to 60. What a replay returns is not said.
   */
  okta: /* @__PURE__ */ profile({ graceSeconds: 30 }),

  /**
   * {@link https://www.keycloak.org/docs/latest/server_admin/#_timeouts Keycloak, Server Administration Guide, "Session
   * and token timeouts"}: "Revoke Refresh Token" is a setting of the realm, and no grace period is documented. A new
   * realm has it off ({@link https://github.com/keycloak/keycloak/pull/4510 keycloak#4510}), and then
   * `rotation: false` is right; that it is on is the safe assumption. Then a replay ends the client's session
   * ({@link https://github.com/keycloak/keycloak/pull/8130 keycloak#8130}).
   */
  keycloak: genericProvider,

  /**
   * {@link https://workos.com/docs/authkit/session-resilience WorkOS AuthKit, "Session resilience"}: a replay within 30
   * seconds returns the same pair. The codes are those that its
   * {@link https://github.com/workos/workos-node/blob/main/src/user-management/interfaces/refresh-and-seal-session-data.interface.ts
   * Node SDK} calls terminal.
   */
  workos: /* @__PURE__ */ profile({
    graceSeconds: 30,
    replayReturns: "same",
    terminalCodes: /* @__PURE__ */ codes("sso_required", "mfa_enrollment"),
  }),

  /**
   * {@link https://supabase.com/docs/guides/auth/sessions Supabase, "User sessions"}: the reuse interval defaults to 10
   * seconds. Also after it, the parent of the active refresh token brings the active one: so it is worth a try. The
   * codes are from {@link https://supabase.com/docs/guides/auth/debugging/error-codes "Error codes"}.
   */
  supabase: /* @__PURE__ */ profile({
    graceSeconds: 10,
    replayReturns: "same",
    terminalCodes: /* @__PURE__ */ codes("session_expired", "session_not_found", "user_not_found"),
  }),

  /**
   * {@link https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_RefreshTokenRotationType.html
   * Amazon Cognito, "RefreshTokenRotationType"}: rotation is a setting of the app client, and so is
   * `RetryGracePeriodSeconds`, from 0 to 60; no default is documented, so none is assumed. Nor is what a replay
   * returns. The code is that of `GetTokensFromRefreshToken`.
   */
  cognito: /* @__PURE__ */ profile({ terminalCodes: /* @__PURE__ */ codes("RefreshTokenReuseException") }),

  /**
   * {@link https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/refreshing-user-access-tokens
   * GitHub, "Refreshing user access tokens"}: once used, a refresh token "will no longer work", nor will the old access
   * token. Its `bad_refresh_token`, with status 200, is known to every profile.
   */
  github: genericProvider,

  /**
   * {@link https://developers.google.com/identity/protocols/oauth2#expiration Google, "Using OAuth 2.0 to Access Google
   * APIs"}: a refresh token is kept, and used for as long as it is valid; an exchange brings an access token only.
   */
  google: /* @__PURE__ */ profile({ rotation: false }),

  /**
   * {@link https://linear.app/developers/oauth-2-0-authentication Linear, "OAuth 2.0 authentication"}: a refresh token
   * can be replayed for 30 minutes where the answer did not arrive. What a replay returns was not found.
   */
  linear: /* @__PURE__ */ profile({ graceSeconds: 1800 }),
});
