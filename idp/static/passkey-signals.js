/*
 * Tells the browser which passkeys still exist (WebAuthn level 3, signal methods), so that it offers
 * no removed ones and shows the present name. Browsers without these methods are not asked.
 *
 *   [data-passkey-accepted]  JSON: rpId, userId, name, displayName, allAcceptedCredentialIds
 *   [data-passkey-unknown]   JSON: rpId, credentialId
 */
(function () {
  "use strict";

  function given(name) {
    const element = document.querySelector(`[data-passkey-${name}]`);
    return element && JSON.parse(element.getAttribute(`data-passkey-${name}`));
  }

  async function signal(method, options) {
    if (options && window.PublicKeyCredential && PublicKeyCredential[method]) {
      try {
        await PublicKeyCredential[method](options);
      } catch {
        // The browser keeps its list as it is.
      }
    }
  }

  const account = given("accepted");
  if (account) {
    const { rpId, userId, name, displayName, allAcceptedCredentialIds } = account;
    signal("signalAllAcceptedCredentials", { rpId, userId, allAcceptedCredentialIds });
    signal("signalCurrentUserDetails", { rpId, userId, name, displayName });
  }
  signal("signalUnknownCredential", given("unknown"));
})();
