/*
 * Shows the password rules that are not met yet while one types (PW-01 to PW-07, PW-14), hints at Caps Lock, and
 * shows or hides the password. Nothing leaves the page: the server decides again, and alone knows
 * the rules "common" and "reused", which stay neutral here.
 *
 * The page provides
 *   ul[data-password-rules]    with data-username, data-email, data-names (separated by spaces),
 *                              data-text-met, data-text-unmet; data-min-length, data-max-length
 *   li[data-rule="<rule>"]     gets data-met="true|false" once something is typed
 *   [data-rule="mismatch"]     the same for the second entry, inside the list or elsewhere
 *   input[data-password-new], input[data-password-again]
 *   meter[data-password-meter][hidden], [data-password-done][hidden]   the share of the rules that
 *                              are met; shown when all of them are
 *   [data-caps-lock][hidden]   shown while Caps Lock is on in a password field
 *   button[data-toggle-password][hidden]   aria-controls lists the ids of the fields it reveals
 *
 * The rules are those of idp/policy/password.py; a test holds the two to one table.
 */
(function () {
  "use strict";

  // The curly, low, ornamental and CJK quotation marks, and the modifier letters used as such.
  const FORBIDDEN =
    /[&\\<>'"\u2018-\u201f\u02bb-\u02bd\u275b-\u2760\u2e42\u301d-\u301f\u{1f676}-\u{1f678}]/u;
  const WHITE_SPACE = /[\p{Z}\p{Cf}\t\n\v\f\r\u0085\u115f\u1160\u3164\uffa0\u2800]/u;
  const CONTROL = /(?![\p{Cf}\t\n\v\f\r\u0085])\p{C}/u;
  const SPECIAL = /[\p{P}\p{S}]/u;
  const NOT_LETTERS = /\P{L}+/u;
  const USER_NAME_RUN = 4;
  const SHORTEST_PART = 3;
  // Ordering a long run of combining marks takes quadratic time; see the server's policy.
  const NFC_SHRINKS_BY = 4;

  function bare(text) {
    return text.normalize("NFKD").replace(/\p{M}/gu, "");
  }

  // There is no case folding in the language. Upper case first turns a sharp s into two letters;
  // the last replacement undoes the final sigma, which lower-casing puts at the end of a word.
  function fold(text) {
    const lower = bare(text).toUpperCase().toLowerCase().replace(/ς/g, "σ");
    return bare(lower).normalize("NFC");
  }

  // NFKD and not NFKC: "<" with a combining solidus is one character in NFC and NFKC.
  function isForbidden(character) {
    return FORBIDDEN.test(character) || FORBIDDEN.test(character.normalize("NFKD"));
  }

  function userNameParts(owner) {
    const email = owner.email || "";
    const localPart = email.slice(0, Math.max(email.lastIndexOf("@"), 0)) || email;
    return [owner.username || "", localPart].flatMap(function (name) {
      const characters = Array.from(fold(name));
      if (characters.length < SHORTEST_PART) {
        return [];
      }
      const width = Math.min(USER_NAME_RUN, characters.length);
      return characters
        .slice(0, characters.length - width + 1)
        .map((_, start) => characters.slice(start, start + width).join(""));
    });
  }

  function nameWords(owner) {
    return (owner.names || [])
      .flatMap((name) => fold(name).split(NOT_LETTERS))
      .filter((word) => Array.from(word).length >= SHORTEST_PART);
  }

  // The failed rules that a browser can decide, in the server's order.
  function violations(password, owner, policy) {
    if (Array.from(password).length > NFC_SHRINKS_BY * policy.maxLength) {
      return ["too-long"];
    }
    const text = password.normalize("NFC");
    const characters = Array.from(text);
    const folded = fold(text);
    const failed = {
      "too-short": characters.length < policy.minLength,
      "too-long": characters.length > policy.maxLength,
      "no-upper": !/\p{Lu}/u.test(text),
      "no-lower": !/\p{Ll}/u.test(text),
      "no-digit": !/\p{Nd}/u.test(text),
      "no-special":
        policy.requireSpecial && !characters.some((c) => SPECIAL.test(c) && !isForbidden(c)),
      "forbidden-character": characters.some(isForbidden),
      "white-space": WHITE_SPACE.test(text),
      "control-character": CONTROL.test(text),
      "contains-user-name": userNameParts(owner).some((part) => folded.includes(part)),
      "contains-name": nameWords(owner).some((word) => folded.includes(word)),
    };
    return Object.keys(failed).filter((rule) => failed[rule]);
  }

  const SERVER_RULES = new Set(["common", "reused"]);

  // `met` is undefined while there is nothing to judge: an empty field has broken no rule yet.
  function mark(item, met, texts) {
    let status = item.querySelector("[data-rule-status]");
    if (!status) {
      status = document.createElement("span");
      status.className = "visually-hidden";
      status.setAttribute("data-rule-status", "");
      item.append(" ", status);
    }
    if (met === undefined) {
      item.removeAttribute("data-met");
      status.textContent = "";
    } else if (item.dataset.met !== String(met)) {
      item.dataset.met = String(met);
      status.textContent = met ? texts.met : texts.unmet;
    }
  }

  function readList(list) {
    const data = list.dataset;
    return {
      owner: {
        username: data.username || "",
        email: data.email || "",
        names: (data.names || "").split(" "),
      },
      policy: {
        minLength: Number(data.minLength || 8),
        maxLength: Number(data.maxLength || 256),
        // Whether the rule is in force is told by its being listed.
        requireSpecial: list.querySelector('[data-rule="no-special"]') !== null,
      },
      texts: { met: data.textMet || "", unmet: data.textUnmet || "" },
    };
  }

  function watchRules(list) {
    const first = document.querySelector("input[data-password-new]");
    const second = document.querySelector("input[data-password-again]");
    const mismatch = document.querySelector('[data-rule="mismatch"]');
    if (!first) {
      return;
    }
    const settings = readList(list);

    const meter = document.querySelector("[data-password-meter]");
    const done = document.querySelector("[data-password-done]");
    const details = list.closest("details");

    // Once something is typed, only what is not met yet stays in sight.
    function summarize() {
      const judged = list.querySelectorAll("[data-met]");
      const met = list.querySelectorAll('[data-met="true"]').length;
      if (details && judged.length > 0 && !list.hasAttribute("data-typed")) {
        details.open = true;
      }
      list.toggleAttribute("data-typed", judged.length > 0);
      if (meter) {
        meter.hidden = judged.length === 0;
        meter.value = judged.length ? met / judged.length : 0;
      }
      if (done) {
        done.hidden = judged.length === 0 || met < judged.length;
      }
    }

    function update() {
      const failed = new Set(violations(first.value, settings.owner, settings.policy));
      for (const item of list.querySelectorAll("[data-rule]")) {
        const rule = item.dataset.rule;
        if (item !== mismatch && !SERVER_RULES.has(rule)) {
          mark(item, first.value ? !failed.has(rule) : undefined, settings.texts);
        }
      }
      if (second && mismatch) {
        const same = first.value.normalize("NFC") === second.value.normalize("NFC");
        mark(mismatch, second.value ? same : undefined, settings.texts);
      }
      summarize();
    }

    for (const input of [first, second]) {
      if (input) {
        input.addEventListener("input", update);
      }
    }
    // A password manager or the back button may have filled the fields already.
    update();
  }

  function watchCapsLock(hint) {
    const selector = 'input[type="password"], input[data-password-revealed]';

    function update(event) {
      // Autofill sends key events without a modifier state.
      if (event.target.matches(selector) && typeof event.getModifierState === "function") {
        hint.hidden = !event.getModifierState("CapsLock");
      }
    }

    for (const type of ["keydown", "keyup", "mousedown"]) {
      document.addEventListener(type, update);
    }
    document.addEventListener("focusout", function () {
      hint.hidden = true;
    });
  }

  function watchToggle(button) {
    const ids = (button.getAttribute("aria-controls") || "").split(/\s+/);
    const inputs = ids.map((id) => document.getElementById(id)).filter(Boolean);

    // The label stays: a pressed "Show password" is what a screen reader announces.
    function reveal(shown) {
      button.setAttribute("aria-pressed", String(shown));
      for (const input of inputs) {
        input.type = shown ? "text" : "password";
        input.toggleAttribute("data-password-revealed", shown);
      }
    }

    if (inputs.length === 0) {
      return;
    }
    button.addEventListener("click", function () {
      reveal(button.getAttribute("aria-pressed") !== "true");
    });
    // A browser remembers what is typed into text fields, so they go back before they are sent.
    for (const form of new Set(inputs.map((input) => input.form).filter(Boolean))) {
      form.addEventListener("submit", () => reveal(false));
    }
    reveal(false);
    button.hidden = false;
  }

  function start() {
    document.querySelectorAll("ul[data-password-rules]").forEach(watchRules);
    document.querySelectorAll("[data-caps-lock]").forEach(watchCapsLock);
    document.querySelectorAll("[data-toggle-password]").forEach(watchToggle);
  }

  if (typeof module !== "undefined") {
    module.exports = { violations: violations };
  }
  if (typeof document !== "undefined") {
    if (document.readyState === "loading") {
      document.addEventListener("DOMContentLoaded", start);
    } else {
      start();
    }
  }
})();
