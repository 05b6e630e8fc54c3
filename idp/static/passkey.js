/*
 * Passkeys (WebAuthn). A form with data-passkey="create" or "get" and the options in data-options
 * gets the browser's answer in its field "credential", and is sent.
 *
 * The page provides
 *   form[data-passkey][data-options]   data-conditional: offer keys in the user name's field too;
 *                                      to create one, without a prompt and without a button
 *   [data-passkey-button][hidden]      starts; inside the form or elsewhere on the page
 *   [data-passkey-error][hidden]       shown when the person gave up or no key fits
 *   [data-passkey-missing][hidden]     shown where the browser cannot do it
 */
(function () {
  "use strict";

  const form = document.querySelector("form[data-passkey]");
  if (!form) {
    return;
  }
  const button = document.querySelector("[data-passkey-button]");
  const fault = document.querySelector("[data-passkey-error]");
  const missing = document.querySelector("[data-passkey-missing]");
  let waiting = null;

  function bytes(text) {
    const padded = text.replace(/-/g, "+").replace(/_/g, "/");
    return Uint8Array.from(atob(padded), (character) => character.charCodeAt(0));
  }

  function text(buffer) {
    const characters = Array.from(new Uint8Array(buffer), (code) => String.fromCharCode(code));
    return btoa(characters.join("")).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
  }

  function withBytes(list) {
    return (list || []).map((entry) => Object.assign({}, entry, { id: bytes(entry.id) }));
  }

  function options() {
    const given = JSON.parse(form.dataset.options);
    given.challenge = bytes(given.challenge);
    if (given.user) {
      given.user.id = bytes(given.user.id);
    }
    given.excludeCredentials = withBytes(given.excludeCredentials);
    given.allowCredentials = withBytes(given.allowCredentials);
    return given;
  }

  function answer(credential) {
    const response = credential.response;
    const told = { clientDataJSON: text(response.clientDataJSON) };
    if (response.attestationObject) {
      told.attestationObject = text(response.attestationObject);
      told.transports = response.getTransports ? response.getTransports() : [];
    } else {
      told.authenticatorData = text(response.authenticatorData);
      told.signature = text(response.signature);
      if (response.userHandle) {
        told.userHandle = text(response.userHandle);
      }
    }
    return JSON.stringify({
      id: credential.id,
      rawId: text(credential.rawId),
      type: credential.type,
      response: told,
      clientExtensionResults: {},
    });
  }

  async function ask(mediation) {
    if (waiting) {
      waiting.abort();
    }
    waiting = new AbortController();
    const request = { publicKey: options(), signal: waiting.signal };
    if (mediation) {
      request.mediation = mediation;
    }
    const act = form.dataset.passkey === "create" ? "create" : "get";
    const credential = await navigator.credentials[act](request);
    form.elements.credential.value = answer(credential);
    form.submit();
  }

  async function start() {
    fault.hidden = true;
    try {
      await ask();
    } catch (error) {
      if (error.name !== "AbortError") {
        fault.hidden = false;
        button.focus();
      }
    }
  }

  async function offer() {
    const able = window.PublicKeyCredential && PublicKeyCredential.isConditionalMediationAvailable;
    if (able && (await PublicKeyCredential.isConditionalMediationAvailable())) {
      try {
        await ask("conditional");
      } catch {
        // Nobody chose a key: the other ways are on the page.
      }
    }
  }

  async function createUnasked() {
    try {
      const able = await PublicKeyCredential.getClientCapabilities();
      if (able.conditionalCreate) {
        await ask("conditional");
      }
    } catch {
      // The browser cannot, or has no reason to: the page stays as it is.
    }
  }

  if (!window.PublicKeyCredential || !navigator.credentials) {
    if (missing) {
      missing.hidden = false;
    }
    return;
  }
  if (!button) {
    createUnasked();
    return;
  }
  button.hidden = false;
  button.addEventListener("click", start);
  if ("conditional" in form.dataset) {
    offer();
  }
})();
