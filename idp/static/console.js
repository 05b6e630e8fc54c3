/*
 * The key "/" leads to the search box from every page of the console, as in other tools for people
 * who keep their hands on the keyboard. Everything works without it.
 */
(function () {
  "use strict";

  document.addEventListener("keydown", function (event) {
    const target = event.target;
    const typing = target instanceof Element && target.matches("input, textarea, select");
    const search = document.getElementById("q");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey && search) {
      event.preventDefault();
      search.focus();
      search.select();
    }
  });
})();
