// Drives a running gateway as a relying party would, by the certified library openid-client.
// Prints one line of JSON with what came back; leaves with 1 and the reason on any failure.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";

import * as oidc from "openid-client";

import { Browser, place } from "./browser.mjs";

function setting(name, fallback) {
  const value = process.env[name] ?? fallback;
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}

const CLIENT_AUTHENTICATION = {
  client_secret_basic: oidc.ClientSecretBasic,
  client_secret_post: oidc.ClientSecretPost,
};

async function discover() {
  const issuer = new URL(setting("ISSUER"));
  const method = setting("TOKEN_ENDPOINT_AUTH_METHOD", "client_secret_basic");
  // The library trusts TLS for tokens that it fetched itself; here their signatures are checked.
  const execute = [oidc.enableNonRepudiationChecks];
  if (issuer.protocol === "http:") execute.push(oidc.allowInsecureRequests);
  // With DPOP, introspection as a signed JWT too (RFC 9701).
  const metadata = setting("DPOP", "") ? { introspection_signed_response_alg: "RS256" } : {};
  const config = await oidc.discovery(
    issuer,
    setting("CLIENT_ID"),
    metadata,
    CLIENT_AUTHENTICATION[method](setting("CLIENT_SECRET")),
    { execute },
  );
  // With ENCRYPTION_KEY, only encrypted ID tokens and userinfo are accepted.
  const jwk = setting("ENCRYPTION_KEY", "");
  if (!jwk) return config;
  const curve = { name: "ECDH", namedCurve: "P-256" };
  const key = await crypto.subtle.importKey("jwk", JSON.parse(jwk), curve, false, ["deriveBits"]);
  const { kid } = JSON.parse(jwk);
  oidc.enableDecryptingResponses(config, ["A256GCM"], { key, kid, alg: "ECDH-ES+A256KW" });
  return config;
}

// The signed JWTs that were inside encrypted ones: of a sign-in, a refresh and userinfo.
function decrypted(tokens, fresh, userinfo) {
  return [
    oidc.getDecryptedResponses(tokens)?.id_token?.token_endpoint,
    oidc.getDecryptedResponses(fresh),
    oidc.getDecryptedResponses(userinfo),
  ];
}

// With DPOP, the options of requests that prove a key (RFC 9449). The library starts with a nonce
// that no server gave, as after a long pause, and has to repeat a request with the right one.
async function proving(config, seen, types) {
  if (!setting("DPOP", "")) return undefined;
  config[oidc.customFetch] = async (url, options) => {
    const response = await fetch(url, options);
    if (new URL(url).pathname.endsWith("/par")) {
      const headers = new Headers(response.headers);
      headers.set("DPoP-Nonce", "a-nonce-that-nobody-gave");
      return new Response(response.body, { status: response.status, headers });
    }
    types.add(response.headers.get("content-type"));
    if (response.headers.has("DPoP-Nonce")) seen.push(`${response.status} ${new URL(url).pathname}`);
    return response;
  };
  return { DPoP: oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair("ES256")) };
}

// The code of an authenticator app at a moment in milliseconds (RFC 6238, SHA-1, six digits).
function oneTimeCode(secret, moment) {
  const bits = [...secret].map((letter) =>
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0"),
  );
  const key = Buffer.from(bits.join("").match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(moment / 30_000)));
  const digest = createHmac("sha1", key).update(step).digest();
  const number = digest.readUInt32BE(digest.at(-1) & 0xf) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}

// One authorization request: where to send the browser, and what the answer is checked against.
async function authorizationRequest(config, extra = {}, options = undefined) {
  const pkceCodeVerifier = oidc.randomPKCECodeVerifier();
  const expectedState = oidc.randomState();
  const expectedNonce = oidc.randomNonce();
  const build = options ? oidc.buildAuthorizationUrlWithPAR : oidc.buildAuthorizationUrl;
  const parameters = {
    redirect_uri: setting("REDIRECT_URI"),
    scope: setting("SCOPE", "openid profile email offline_access"),
    code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: "S256",
    state: expectedState,
    nonce: expectedNonce,
    ...extra,
  };
  const url = await build(config, parameters, options);
  return { url, checks: { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true } };
}

async function signIn(config, browser, options) {
  const stop = setting("REDIRECT_URI");
  const { url, checks } = await authorizationRequest(config, {}, options);
  const page = await browser.open(url, { stop });
  const second = await browser.submit(
    page,
    "password",
    { username: setting("USERNAME"), password: setting("PASSWORD") },
    { stop },
  );
  const code = oneTimeCode(setting("TOTP_SECRET"), Date.now());
  const { url: callback } = await browser.submit(second, "code", { code }, { stop });
  assert(callback.href.startsWith(stop), `signing in ended at ${place(callback)}`);
  return oidc.authorizationCodeGrant(config, callback, checks, undefined, options);
}

async function refresh(config, tokens, options) {
  const { sub, auth_time: authTime } = tokens.claims();
  const fresh = await oidc.refreshTokenGrant(config, tokens.refresh_token, undefined, options);
  assert(fresh.access_token !== tokens.access_token, "refreshing gave the same access token");
  if (fresh.id_token) {
    assert.equal(fresh.claims().sub, sub);
    assert.equal(fresh.claims().auth_time, authTime, "refreshing moved auth_time");
  }
  return fresh;
}

async function revoke(config, tokens) {
  const before = await oidc.tokenIntrospection(config, tokens.access_token);
  await oidc.tokenRevocation(config, tokens.refresh_token);
  const refreshToken = await oidc.tokenIntrospection(config, tokens.refresh_token);
  const accessToken = await oidc.tokenIntrospection(config, tokens.access_token);
  return { before, refreshTokenAfter: refreshToken, accessTokenAfter: accessToken };
}

async function signOut(config, browser, idToken) {
  const stop = setting("POST_LOGOUT_REDIRECT_URI");
  const state = oidc.randomState();
  const url = oidc.buildEndSessionUrl(config, {
    post_logout_redirect_uri: stop,
    id_token_hint: idToken,
    state,
  });
  const { url: end } = await browser.open(url, { stop });
  assert(end.href.startsWith(stop), `signing out ended at ${place(end)}`);
  assert.equal(end.searchParams.get("state"), state);
  return { redirectedTo: place(end) };
}

// What a silent request is answered with: the error code, or "signed in".
async function silently(config, browser) {
  const { url, checks } = await authorizationRequest(config, { prompt: "none" });
  const { url: callback } = await browser.open(url, { stop: setting("REDIRECT_URI") });
  try {
    await oidc.authorizationCodeGrant(config, callback, checks);
    return "signed in";
  } catch (error) {
    if (error instanceof oidc.AuthorizationResponseError) return error.error;
    throw error;
  }
}

async function main() {
  const config = await discover();
  const browser = new Browser();
  const nonces = [];
  const types = new Set();
  const options = await proving(config, nonces, types);
  const tokens = await signIn(config, browser, options);
  const claims = tokens.claims();
  assert(tokens.refresh_token, "offline_access gave no refresh token");
  const silentBefore = await silently(config, browser);
  const fresh = await refresh(config, tokens, options);
  const userinfo = await oidc.fetchUserInfo(config, fresh.access_token, claims.sub, options);
  const introspection = await revoke(config, fresh);
  const inside = decrypted(tokens, fresh, userinfo);
  const logout = await signOut(config, browser, inside[0] ?? tokens.id_token);
  const silentAfter = await silently(config, browser);
  return {
    issuer: config.serverMetadata().issuer,
    tokenType: tokens.token_type,
    nonces,
    decrypted: inside.filter(Boolean).length,
    types: [...types],
    scope: tokens.scope,
    claims,
    rotated: Boolean(fresh.refresh_token) && fresh.refresh_token !== tokens.refresh_token,
    userinfo,
    introspection,
    logout,
    silentBefore,
    silentAfter,
  };
}

try {
  console.log(JSON.stringify(await main()));
} catch (error) {
  const { cause, response } = error;
  console.error(`${error.name}: ${error.message}`);
  if (cause) console.error(cause instanceof Error ? cause : JSON.stringify(cause));
  if (response && !response.bodyUsed) console.error(response.status, await response.text());
  process.exit(1);
}
