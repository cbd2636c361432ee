/* One key a verdict, in the grid and in a sample's modal, while the review is open.

   FiftyOne gives a plugin in Python no keys, so this file listens. What a key means is
   decided in plugin/operators/keys.py. */
(() => {
  "use strict";
  const KEYS = "fgneus0123456789";
  const OPERATOR = "@dfaulo/dfaulo/mark_by_key";
  const find = (name) => document.querySelector(`[data-cy="${name}"]`);
  let busy = false;

  const press = (event) => {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
    const held = event.ctrlKey || event.altKey || event.metaKey || event.shiftKey;
    const ours = event.key?.length === 1 && KEYS.includes(event.key);
    if (!ours || typing || held) return;
    if (!find("panel-content-dfaulo_review")) return;
    event.stopImmediatePropagation(); // f and s mean something else to the App
    if (event.repeat || busy) return;
    const inModal = Boolean(find("modal"));
    const done = (result) => {
      busy = false;
      if (inModal && !result?.error) find("nav-right-button")?.parentElement.click();
    };
    busy = true;
    window.__foo__.executeOperator(OPERATOR, { key: event.key }, { callback: done });
  };
  window.addEventListener("keydown", press, true); // before the App hears it
})();
