/*
 * The page of a sign-out goes on when its frames have loaded. Without this script it goes on after
 * some seconds.
 */
window.addEventListener("load", function () {
  "use strict";

  location.replace(document.getElementById("continue").href);
});
