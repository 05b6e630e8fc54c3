// @auth/express: sign-in and session of the library. Its sign-out ends the session of the
// application only. Both start at a page of the library with a button.
import { ExpressAuth, getSession } from "@auth/express";
import express from "express";

const { CLIENT_ID, CLIENT_SECRET, ISSUER, PORT } = process.env;
const config = {
  secret: crypto.randomUUID(),
  trustHost: true,
  providers: [{
    id: "gateway",
    name: "Gateway",
    type: "oidc",
    issuer: ISSUER,
    clientId: CLIENT_ID,
    clientSecret: CLIENT_SECRET,
    checks: ["pkce", "state", "nonce"],
    authorization: { params: { scope: "openid profile email groups" } },
  }],
  callbacks: {
    jwt: ({ token, profile }) => (profile
      ? { ...token, name: profile.preferred_username, groups: profile.groups } : token),
    session: ({ session, token }) => ({ ...session, name: token.name, groups: token.groups }),
  },
};

const app = express();
app.use("/auth", ExpressAuth(config));

const pageOf = (roleGroup) => async (req, res) => {
  const session = await getSession(req, config);
  if (!session) return res.sendStatus(401);
  if (!session.groups.includes(roleGroup)) return res.sendStatus(403);
  return res.send(`${roleGroup}: ${session.name}`);
};
app.get("/", (req, res) => res.send("home"));
app.get("/signin", (req, res) => res.redirect("/auth/signin"));
app.get("/signout", (req, res) => res.redirect("/auth/signout"));
app.get("/reader", pageOf("Interop Reader"));
app.get("/editor", pageOf("Interop Editor"));
app.listen(PORT, "localhost");
