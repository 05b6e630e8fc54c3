// node oidc-provider with its adapter in memory: nothing is durable, one process.
import { generateKeyPairSync } from "node:crypto";
import { pathToFileURL } from "node:url";

const { PEER_PORT: port, PEER_SECRET: secret, PEER_MODULES: modules } = process.env;
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
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: "ES256",
    },
  ],
  jwks: { keys: [{ ...key, alg: "ES256", use: "sig", kid: "bench" }] },
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
provider.listen(Number(port), "127.0.0.1");
