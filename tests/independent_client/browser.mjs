// As much of a browser as signing in needs: cookies, redirects by hand, one form.

const MAX_REDIRECTS = 10;

export class Browser {
  #cookies = new Map();

  // Requests a page. Returns { url, html }, or { url } alone as soon as a redirect leads to a URL
  // that starts with `stop`: that address belongs to the relying party and is not requested.
  async open(url, { form, stop } = {}) {
    let target = new URL(url);
    let body = form;
    for (let hop = 0; hop < MAX_REDIRECTS; hop += 1) {
      const response = await fetch(target, {
        method: body ? "POST" : "GET",
        body,
        redirect: "manual",
        headers: {
          accept: "text/html",
          "accept-language": "en",
          cookie: [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; "),
          ...(body && { origin: target.origin, referer: target.href }),
        },
      });
      this.#keep(response.headers.getSetCookie());
      const header = response.headers.get("location");
      const html = header ? "" : await response.text();
      const location = header ?? refresh(html);
      if (!location) {
        if (!response.ok) {
          throw new Error(`${place(target)} answered ${response.status}: ${title(html)}`);
        }
        return { url: target, html };
      }
      if (body && header && response.status !== 303) {
        throw new Error(`${place(target)} answered a form with ${response.status} instead of 303`);
      }
      target = new URL(location, target);
      body = undefined;
      if (stop && target.href.startsWith(stop)) return { url: target };
    }
    throw new Error(`more than ${MAX_REDIRECTS} redirects, the last to ${place(target)}`);
  }

  // Fills in the form of `page` that has a field named `landmark`, and sends it.
  async submit(page, landmark, values, options = {}) {
    const forms = page.html.match(/<form\b[^>]*>.*?<\/form>/gis) ?? [];
    const html = forms.find((text) => fields(text).some(({ name }) => name === landmark));
    if (!html) throw new Error(`${place(page.url)} has no field ${landmark}: ${title(page.html)}`);
    const hidden = fields(html).filter(({ type, name }) => type === "hidden" && name);
    const form = new URLSearchParams(hidden.map(({ name, value }) => [name, value ?? ""]));
    for (const [name, value] of Object.entries(values)) form.set(name, value);
    const action = attributes(html.match(/<form\b[^>]*>/i)[0]).action;
    return this.open(new URL(action || page.url, page.url), { ...options, form });
  }

  #keep(lines) {
    for (const line of lines) {
      const [pair, ...rest] = line.split(";");
      const [name, ...value] = pair.trim().split("=");
      const gone = rest.some((part) => /^\s*max-age=0\s*$/i.test(part)) || !value.join("=");
      if (gone) this.#cookies.delete(name);
      else this.#cookies.set(name, value.join("="));
    }
  }
}

// An address without its query, which may hold codes and tokens.
export function place({ origin, pathname }) {
  return `${origin}${pathname}`;
}

// Where a page goes on to by itself.
function refresh(html) {
  const found = html.match(/<meta http-equiv="refresh" content="0; url=([^"]*)">/i);
  return found && text(found[1]);
}

function fields(html) {
  return (html.match(/<input\b[^>]*>/gi) ?? []).map(attributes);
}

function attributes(tag) {
  const found = tag.matchAll(/([\w-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/g);
  return Object.fromEntries(
    [...found].map(([, name, ...value]) => [
      name.toLowerCase(),
      text(value.find((part) => part !== undefined)),
    ]),
  );
}

const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', "#34": '"', "#39": "'" };

function text(html) {
  return html.replace(/&(amp|lt|gt|quot|#34|#39);/g, (_, name) => ENTITIES[name]);
}

function title(html) {
  return html.match(/<title>(.*?)<\/title>/is)?.[1].trim() ?? html.slice(0, 200);
}
