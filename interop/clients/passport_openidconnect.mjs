// passport-openidconnect: sign-in. The library sends no PKCE, and its profile has no role groups:
// they are read from the ID token, which the token endpoint gave to the library. Its sign-out ends
// the session of the application only.
import express from "express";
import session from "express-session";
import passport from "passport";
import OpenIDConnectStrategy from "passport-openidconnect";

const { BASE_URL, CLIENT_ID, CLIENT_SECRET, ISSUER, PORT } = process.env;

passport.use("gateway", new OpenIDConnectStrategy(
  {
    issuer: ISSUER,
    authorizationURL: `${ISSUER}/oauth2/v1/authorize`,
    tokenURL: `${ISSUER}/oauth2/v1/token`,
    userInfoURL: `${ISSUER}/oauth2/v1/userinfo`,
    clientID: CLIENT_ID,
    clientSecret: CLIENT_SECRET,
    callbackURL: `${BASE_URL}/callback`,
    scope: ["profile", "email", "groups"],
    skipUserProfile: false,
  },
  (issuer, profile, context, idToken, accessToken, refreshToken, done) => {
    const claims = JSON.parse(Buffer.from(idToken.split(".")[1], "base64url"));
    done(null, { name: profile.username, groups: claims.groups });
  },
));
passport.serializeUser((user, done) => done(null, user));
passport.deserializeUser((user, done) => done(null, user));

const app = express();
app.use(session({ secret: crypto.randomUUID(), resave: false, saveUninitialized: false }));
app.use(passport.session());

const pageOf = (roleGroup) => (req, res) => {
  if (!req.user) return res.sendStatus(401);
  if (!req.user.groups.includes(roleGroup)) return res.sendStatus(403);
  return res.send(`${roleGroup}: ${req.user.name}`);
};
app.get("/", (req, res) => res.send("home"));
app.get("/signin", passport.authenticate("gateway"));
app.get("/callback", passport.authenticate("gateway", { successRedirect: "/", failWithError: true }));
app.get("/reader", pageOf("Interop Reader"));
app.get("/editor", pageOf("Interop Editor"));
app.get("/signout", (req, res, next) => req.logout((error) => (error ? next(error) : res.redirect("/"))));
app.listen(PORT, "localhost");
