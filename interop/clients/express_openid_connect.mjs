// express-openid-connect: refresh tokens, sign-out and back-channel logout of the library.
import express from "express";
import session from "express-session";
import oidc from "express-openid-connect";

const { auth } = oidc;
const app = express();
const { BASE_URL, CLIENT_ID, CLIENT_SECRET, ISSUER, PORT } = process.env;
const scope = "openid profile email groups offline_access";

app.use(auth({
  issuerBaseURL: ISSUER,
  baseURL: BASE_URL,
  clientID: CLIENT_ID,
  clientSecret: CLIENT_SECRET,
  clientAuthMethod: "client_secret_basic",
  secret: crypto.randomUUID(),
  authRequired: false,
  idpLogout: true,
  backchannelLogout: { store: new session.MemoryStore() },
  authorizationParams: { response_type: "code", scope },
  routes: { login: "/signin", logout: "/signout" },
}));

const pageOf = (roleGroup) => (req, res) => {
  if (!req.oidc.isAuthenticated()) return res.sendStatus(401);
  if (!req.oidc.idTokenClaims.groups.includes(roleGroup)) return res.sendStatus(403);
  return res.send(`${roleGroup}: ${req.oidc.user.preferred_username}`);
};
app.get("/", (req, res) => res.send("home"));
app.get("/reader", pageOf("Interop Reader"));
app.get("/editor", pageOf("Interop Editor"));
app.get("/refresh", async (req, res) => {
  const before = req.oidc.accessToken.access_token;
  const fresh = await req.oidc.accessToken.refresh();
  res.send(fresh.access_token === before ? "the same access token" : "refreshed");
});
app.listen(PORT, "localhost");
