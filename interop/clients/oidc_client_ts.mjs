// oidc-client-ts in the browser: sign-in, renewal by refresh token, session monitor, sign-out. Pages say in their
// title what an API of this program answered to the access token.
import { build } from "esbuild";
import express from "express";

const { CLIENT_ID, ISSUER, PORT } = process.env;

const PAGE = `
import { UserManager } from "oidc-client-ts";

const manager = new UserManager({
  authority: ${JSON.stringify(ISSUER)},
  client_id: ${JSON.stringify(CLIENT_ID)},
  redirect_uri: location.origin + "/callback",
  post_logout_redirect_uri: location.origin + "/",
  scope: "openid profile groups offline_access",
  monitorSession: location.pathname === "/monitor",
});

function show(status, text) {
  document.body.textContent = text;
  document.title = status;
}

function offer(action) {
  document.body.innerHTML = "<form><button type=submit>Go on</button></form>";
  document.forms[0].onsubmit = (event) => { event.preventDefault(); action(); };
}

async function renew() {
  const before = await manager.getUser();
  const fresh = await manager.signinSilent();
  const isNew = fresh.access_token !== before.access_token && !fresh.expired;
  show(200, isNew ? "refreshed" : "the same access token");
}

async function monitor() {
  manager.events.addUserSignedOut(() => show(401, "signed out"));
  const { session_state: state } = await manager.getUser();
  show(200, state ? "monitoring" : "no session_state");
}

async function ask() {
  const user = await manager.getUser();
  if (!user) return show(401, "signed out");
  const headers = { authorization: "Bearer " + user.access_token };
  const answer = await fetch("/api" + location.pathname, { headers });
  show(answer.status, await answer.text());
}

const ACTIONS = {
  "/": () => show(200, "home"),
  "/signin": () => offer(() => manager.signinRedirect()),
  "/callback": async () => { await manager.signinCallback(); show(200, "signed in"); },
  "/reader": ask,
  "/editor": ask,
  "/refresh": renew,
  "/monitor": monitor,
  "/forget": async () => { await manager.removeUser(); show(200, "forgotten"); },
  "/signout": () => offer(() => manager.signoutRedirect()),
};
try {
  await ACTIONS[location.pathname]();
} catch (error) {
  show(500, String(error));
}
`;
const { outputFiles } = await build({
  stdin: { contents: PAGE, resolveDir: import.meta.dirname },
  bundle: true, format: "esm", write: false,
});

const app = express();
const api = (roleGroup) => async (req, res) => {
  const headers = { authorization: req.headers.authorization };
  const answer = await fetch(`${ISSUER}/oauth2/v1/userinfo`, { headers });
  if (!answer.ok) return res.sendStatus(401);
  const claims = await answer.json();
  if (!claims.groups.includes(roleGroup)) return res.sendStatus(403);
  return res.send(`${roleGroup}: ${claims.preferred_username}`);
};
app.get("/api/reader", api("Interop Reader"));
app.get("/api/editor", api("Interop Editor"));
app.get("/app.js", (req, res) => res.type("js").send(outputFiles[0].text));
app.get("/{*path}", (req, res) => res.send(
  '<!doctype html><body></body><script type="module" src="/app.js"></script>',
));
app.listen(PORT, "localhost");
