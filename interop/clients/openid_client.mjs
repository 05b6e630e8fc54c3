// openid-client: the application of the recipe, at its port, and with a gateway that has no TLS.
import { readFileSync, writeFileSync } from "node:fs";

const { PORT } = process.env;
process.env.SESSION_SECRET = crypto.randomUUID();
const secret = "oidc.ClientSecretBasic(process.env.CLIENT_SECRET),";
const recipe = readFileSync("recipe/js", "utf8")
  .replace(secret, `${secret} { execute: [oidc.allowInsecureRequests] },`)
  .replace("app.listen(3000)", `app.listen(${PORT}, "localhost")`);
writeFileSync("recipe.mjs", recipe);
await import(`${process.cwd()}/recipe.mjs`);
