// oauth4webapi: every step by a function of the library; sessions by express-session.
import express from "express";
import session from "express-session";
import * as oauth from "oauth4webapi";

const { BASE_URL, CLIENT_ID, CLIENT_SECRET, ISSUER, PORT } = process.env;
const insecure = { [oauth.allowInsecureRequests]: true };
const client = { client_id: CLIENT_ID };
const secret = oauth.ClientSecretBasic(CLIENT_SECRET);
const issuer = new URL(ISSUER);
const gateway = await oauth.processDiscoveryResponse(
  issuer, await oauth.discoveryRequest(issuer, insecure),
);
const redirectUri = `${BASE_URL}/callback`;

const app = express();
app.use(session({ secret: crypto.randomUUID(), resave: false, saveUninitialized: false }));

app.get("/", (req, res) => res.send("home"));
app.get("/signin", async (req, res) => {
  const verifier = oauth.generateRandomCodeVerifier();
  const request = { verifier, state: oauth.generateRandomState(), nonce: oauth.generateRandomNonce() };
  req.session.request = request;
  const url = new URL(gateway.authorization_endpoint);
  url.search = new URLSearchParams({
    client_id: CLIENT_ID, redirect_uri: redirectUri, response_type: "code",
    scope: "openid profile email groups offline_access", state: request.state, nonce: request.nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
  });
  res.redirect(url.href);
});
app.get("/callback", async (req, res) => {
  const { verifier, state, nonce } = req.session.request;
  const parameters = oauth.validateAuthResponse(gateway, client, new URL(req.originalUrl, BASE_URL), state);
  const answer = await oauth.authorizationCodeGrantRequest(
    gateway, client, secret, parameters, redirectUri, verifier, insecure,
  );
  const tokens = await oauth.processAuthorizationCodeResponse(
    gateway, client, answer, { expectedNonce: nonce, requireIdToken: true },
  );
  await oauth.validateApplicationLevelSignature(gateway, answer, insecure);
  req.session.tokens = tokens;
  req.session.person = oauth.getValidatedIdTokenClaims(tokens);
  res.redirect("/");
});

const pageOf = (roleGroup) => (req, res) => {
  const { person } = req.session;
  if (!person) return res.sendStatus(401);
  if (!person.groups.includes(roleGroup)) return res.sendStatus(403);
  return res.send(`${roleGroup}: ${person.preferred_username}`);
};
app.get("/reader", pageOf("Interop Reader"));
app.get("/editor", pageOf("Interop Editor"));
app.get("/refresh", async (req, res) => {
  const { tokens, person } = req.session;
  const fresh = await oauth.processRefreshTokenResponse(gateway, client, await oauth.refreshTokenGrantRequest(
    gateway, client, secret, tokens.refresh_token, insecure,
  ));
  const answer = await oauth.userInfoRequest(gateway, client, fresh.access_token, insecure);
  await oauth.processUserInfoResponse(gateway, client, person.sub, answer);
  req.session.tokens = { ...tokens, ...fresh };
  res.send("refreshed");
});
app.get("/signout", (req, res) => {
  const url = new URL(gateway.end_session_endpoint);
  url.search = new URLSearchParams({
    id_token_hint: req.session.tokens.id_token, post_logout_redirect_uri: `${BASE_URL}/`,
  });
  req.session.destroy(() => res.redirect(url.href));
});
app.listen(PORT, "localhost");
