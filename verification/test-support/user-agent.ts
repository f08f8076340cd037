/** The behavior of a user on the pages of an authorization server. */
export interface Visit {
  /** Where the server sends the user in the end. Default: the visit ends on a page without a form. */
  readonly until?: string | undefined;
  /** Whether the user refuses the access. */
  readonly refuse?: boolean;
  /** Values for the fields of the forms. */
  readonly fields?: Readonly<Record<string, string>>;
}

const MAX_PAGES = 20;

/** A browser without scripts: it keeps cookies, follows redirects, and submits the form of each page. */
export class UserAgent {
  readonly #cookies = new Map<string, string>();

  /** Opens a URL, does what the pages ask for, and returns the URL at which the visit ended. */
  async open(start: string, visit: Visit = {}): Promise<string> {
    let request: Request | undefined = { url: start };
    let { url } = request;
    for (let page = 0; request !== undefined; page++) {
      if (page === MAX_PAGES) throw new Error(`${start} leads to more than ${MAX_PAGES} pages.`);
      url = new URL(request.url, url).href;
      if (visit.until !== undefined && url.startsWith(visit.until)) break;
      request = await this.#follow({ ...request, url }, visit);
    }
    return url;
  }

  async #follow(request: Request, visit: Visit): Promise<Request | undefined> {
    const response = await this.#send(request);
    const html = await response.text();
    if (response.status >= 400) throw new Error(`${request.url}: HTTP ${response.status} ${html}`);
    const location = response.headers.get("location");
    if (location !== null) return { url: location };
    return request.refuses ? undefined : actOn(html, visit);
  }

  async #send({ url, form }: Request): Promise<Response> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const body = form ?? null;
    const response = await fetch(url, { method: form ? "POST" : "GET", body, headers: { cookie }, redirect: "manual" });
    for (const header of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(header) ?? [];
      if (value) this.#cookies.set(name, value);
      else this.#cookies.delete(name);
    }
    return response;
  }
}

interface Request {
  readonly url: string;
  readonly form?: URLSearchParams;
  readonly refuses?: boolean;
}

/** Returns the request that follows from a page: the link that refuses, or its form. */
function actOn(html: string, { refuse = false, fields = {} }: Visit): Request | undefined {
  const link = /<a href="([^"]*\/abort)"/.exec(html)?.[1];
  if (refuse && link) return { url: link, refuses: true };
  const [tag, action = ""] = /<form[^>]* action="([^"]*)"[^>]*>/.exec(html) ?? [];
  if (tag === undefined) return undefined;
  const form = new URLSearchParams();
  for (const [input] of html.matchAll(/<input[^>]*>/g)) {
    const [name = "", value = ""] = ["name", "value"].map((key) => new RegExp(`\\b${key}="([^"]*)"`).exec(input)?.[1]);
    form.set(name, fields[name] ?? value);
  }
  const refuses = refuse && html.includes('name="abort"');
  if (refuses) form.set("abort", "yes");
  return { url: action, form, refuses };
}
