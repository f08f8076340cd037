/** The scenarios that do not apply to a client built on `mcpAuth`, and why. The command fails if one of them passes after all. */
export const NOT_APPLICABLE: Readonly<Record<string, string>> = {
  "auth/2025-03-26-oauth-metadata-backcompat":
    "its metadata names another issuer than the one that it is loaded for, which RFC 8414 §3.3 forbids a client to use",
  "auth/client-credentials-basic": "the client signs in as itself: there is no user, and no session to share",
  "auth/client-credentials-jwt": "likewise, with a signed assertion",
  "auth/cross-app-access-complete-flow":
    "an identity provider's token is exchanged instead of a sign-in: a program can do that in `signIn`, but mcpAuth does not",
};
