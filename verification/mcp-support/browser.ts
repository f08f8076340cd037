/** Follows redirects and fills in forms over HTTP, as a user does in a browser. */

const MAX_PAGES = 20;

interface Page {
  readonly url: URL;
  readonly text: string;
}

/** A browser with the cookies of one host. */
class Browser {
  readonly #cookies = new Map<string, string>();

  /** Requests a page, and follows redirects until a page comes or `isEnd` holds for the target. */
  async open(target: URL, isEnd: (url: URL) => boolean, body?: URLSearchParams): Promise<Page> {
    let [url, form] = [target, body];
    for (let page = 0; page < MAX_PAGES; page += 1) {
      if (isEnd(url)) return { url, text: "" };
      const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ");
      const request = form ? { method: "POST", body: form } : {};
      const response = await fetch(url, { ...request, headers: { cookie }, redirect: "manual" });
      for (const header of response.headers.getSetCookie()) this.#keep(header);
      const location = response.headers.get("location");
      const text = await response.text();
      if (!location) return { url, text };
      [url, form] = [new URL(location, url), undefined];
    }
    throw new Error(`${target.origin} redirects without end.`);
  }

  #keep(header: string): void {
    const [pair = ""] = header.split(";");
    const at = pair.indexOf("=");
    this.#cookies.set(pair.slice(0, at), pair.slice(at + 1));
  }
}

/** Reads the form of a page: its address, and the values that it holds already. */
function formOf({ url, text }: Page): { readonly action: URL; readonly values: URLSearchParams } {
  const [, action] = /<form[^>]* action="([^"]+)"/.exec(text) ?? [];
  if (action === undefined) throw new Error(`${url.origin}${url.pathname} shows no form: ${text.slice(0, 300)}`);
  const values = new URLSearchParams();
  for (const [, name = "", value = ""] of text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g))
    values.set(name, value);
  return { action: new URL(action, url), values };
}

/**
 * Opens the page of an authorization request, logs in as `user` and consents, and returns the URL to which the server then
 * redirects the browser.
 */
export async function signInAs(user: string, authorizationUrl: string | URL): Promise<URL> {
  const url = new URL(authorizationUrl);
  const redirectUri = url.searchParams.get("redirect_uri") ?? "";
  const isEnd = (target: URL) => target.href.startsWith(redirectUri);
  const browser = new Browser();
  let page = await browser.open(url, isEnd);
  for (let count = 0; !isEnd(page.url); count += 1) {
    if (count === MAX_PAGES) throw new Error(`${url.origin} shows forms without end.`);
    const { action, values } = formOf(page);
    if (page.text.includes('name="login"')) {
      values.set("login", user);
      values.set("password", "a password");
    }
    page = await browser.open(action, isEnd, values);
  }
  return page.url;
}
