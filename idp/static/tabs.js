/*
 * A sign-in that is finished in one tab lets the others go on.
 *
 * The script's own element says
 *   data-entered    this is the first page after a sign-in: tell the other tabs
 *   data-goes-on    where this page goes on when another tab tells so; empty: nowhere
 */
(function () {
  "use strict";

  if (!window.BroadcastChannel) {
    return;
  }
  const said = document.currentScript.dataset;
  const channel = new BroadcastChannel("signed-in");
  if ("entered" in said) {
    channel.postMessage("");
  } else if (said.goesOn) {
    channel.addEventListener("message", () => location.replace(said.goesOn), { once: true });
  }
})();
