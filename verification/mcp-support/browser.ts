import { UserAgent } from "@unexpired-internal/test-support/user-agent";

/**
 * Opens the page of an authorization request, logs in as `user` and consents, and returns the URL to which the server then
 * redirects the browser.
 */
export async function signInAs(user: string, authorizationUrl: string | URL): Promise<URL> {
  const until = new URL(authorizationUrl).searchParams.get("redirect_uri") ?? "";
  const fields = { login: user, password: "a password" };
  return new URL(await new UserAgent().open(String(authorizationUrl), { until, fields }));
}
