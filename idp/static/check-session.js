// The frame by which an application sees that the sign-in of this browser changed (OpenID Connect
// Session Management 1.0, section 3.2). The application sends its client id and the session state.
"use strict";

const NAME = document.documentElement.dataset.cookie;

function browserState() {
  const found = document.cookie.split("; ").filter((pair) => pair.startsWith(`${NAME}=`));
  return found.length === 1 ? found[0].slice(NAME.length + 1) : "";
}

async function isHiddenByBrowser() {
  return document.hasStorageAccess ? !(await document.hasStorageAccess()) : false;
}

async function digestOf(text) {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function answerTo(message, origin) {
  const parts = /^([^ ]+) ([0-9a-f]{64})\.([^ .]+)$/.exec(message);
  if (typeof message !== "string" || !parts) return "error";
  const [, client, digest, salt] = parts;
  const state = browserState();
  // A browser that keeps cookies from frames does not show whether anything changed.
  if (!state) return (await isHiddenByBrowser()) ? "error" : "changed";
  return (await digestOf(`${client} ${origin} ${state} ${salt}`)) === digest ? "unchanged" : "changed";
}

addEventListener("message", async (event) => {
  if (!event.source || event.origin === "null") return;
  const answer = await answerTo(event.data, event.origin).catch(() => "error");
  event.source.postMessage(answer, event.origin);
});
