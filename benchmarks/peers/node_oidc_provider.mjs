// node oidc-provider with its adapter in memory: nothing is durable, one process.
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { PEER_PORT: port, PEER_SECRET: secret, PEER_MODULES: modules } = process.env;
const { PEER_TOKENS: file, PEER_REFRESH: count } = process.env;
const { Provider, default: Default } = await import(
  pathToFileURL(`${modules}/oidc-provider/lib/index.js`).href
);
const key = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" });
const issuer = `http://127.0.0.1:${port}`;
const provider = new (Provider ?? Default)(issuer, {
  clients: [
    {
      client_id: "bench",
      client_secret: secret,
      grant_types: ["client_credentials", "authorization_code", "refresh_token"],
      redirect_uris: [`${issuer}/cb`],
      response_types: ["code"],
      id_token_signed_response_alg: "ES256",
    },
  ],
  jwks: { keys: [{ ...key, alg: "ES256", use: "sig", kid: "bench" }] },
  claims: { openid: ["sub"], profile: ["name", "given_name", "family_name"] },
  findAccount: (_, accountId) => ({
    accountId,
    claims: () => ({ sub: accountId, name: "Ada Moreau", given_name: "Ada", family_name: "Moreau" }),
  }),
  rotateRefreshToken: true,
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => `${issuer}/api`,
      // It introspects no JWT: the tokens of the second resource are random strings.
      getResourceServerInfo: (_, resource) => ({
        scope: "api",
        accessTokenFormat: resource.endsWith("/opaque") ? "opaque" : "jwt",
        accessTokenTTL: 3600,
        jwt: { sign: { alg: "ES256" } },
      }),
    },
  },
});

// Tokens of a person, as if by a code.
const scope = "openid profile offline_access";
const client = await provider.Client.find("bench");
const grant = new provider.Grant({ accountId: "moreaua", clientId: "bench" });
grant.addOIDCScope(scope);
grant.addResourceScope(`${issuer}/api`, "api");
const of = { accountId: "moreaua", client, grantId: await grant.save(), scope, gty: "authorization_code" };
const tokens = [await new provider.AccessToken(of).save()];
for (let number = 0; number < Number(count); number += 1) {
  tokens.push(await new provider.RefreshToken({ ...of, authTime: Math.floor(Date.now() / 1000) }).save());
}
writeFileSync(file, tokens.join("\n"));
provider.listen(Number(port), "127.0.0.1");
