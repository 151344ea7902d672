// What every page does: keys, sheets, messages that go away, and htmx's failures said aloud.
(() => {
  const byId = (id) => document.getElementById(id);
  const typing = (target) => target.closest("input, textarea, select, [contenteditable]") !== null;

  // A key clicks the element that names it: data-key="a". Pages add keys without adding script.
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "/") {
      const search = document.querySelector("[data-search]");
      if (!search) return;
      event.preventDefault();
      search.focus();
      search.select();
      return;
    }
    if (["j", "k", "o", "x", "Enter"].includes(event.key) && walk(event)) return;
    const target = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (target) {
      event.preventDefault();
      target.click();
    }
  });

  // j and k walk the rows of the page's list, o or Enter opens the row's first link, x ticks it.
  function walk(event) {
    const rows = [...document.querySelectorAll("[data-walk] > *")];
    if (!rows.length) return false;
    const at = rows.findIndex((row) => row.hasAttribute("aria-current"));
    if (event.key === "j" || event.key === "k") {
      const next = at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + (event.key === "j" ? 1 : -1)));
      rows[at]?.removeAttribute("aria-current");
      rows[next].setAttribute("aria-current", "true");
      rows[next].querySelector("a")?.focus({ preventScroll: true });
      rows[next].scrollIntoView({ block: "nearest" });
      event.preventDefault();
      return true;
    }
    // Enter on a focused link or button already does what it says.
    if (event.key === "Enter" && event.target.closest("a, button, summary")) return false;
    if (at < 0) return false;
    if (event.key === "x") rows[at].querySelector("input[type=checkbox]")?.click();
    else rows[at].querySelector("a")?.click();
    return true;
  }

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-opens]");
    if (opener) {
      // The address of a link that opens a sheet is for browsers without script.
      event.preventDefault();
      const sheet = byId(opener.dataset.opens);
      if (!sheet.open) sheet.showModal();
    }
    const closer = event.target.closest("[data-closes]");
    if (closer) {
      event.preventDefault();
      closer.closest("dialog")?.close();
    }
    const dismiss = event.target.closest(".toast-line .dismiss");
    if (dismiss) dismiss.closest(".toast-line").remove();
    // A click beside a sheet closes it.
    if (event.target.matches("dialog")) event.target.close();
  });

  function say(text, isError) {
    const line = document.createElement("div");
    line.className = `toast-line${isError ? " error" : ""}`;
    line.textContent = text;
    byId("toasts").append(line);
    fade(line);
  }
  const fade = (line) => setTimeout(() => line.remove(), line.querySelector("form") ? 15000 : 6000);
  document.querySelectorAll(".toast-line:not(.error)").forEach(fade);

  const words = document.body.dataset;
  // A part that follows what happens asks again soon: its failures are not worth a word each.
  const asksByItself = (event) => event.detail.elt?.matches?.("[data-live]");
  document.addEventListener("htmx:sendError", (event) => asksByItself(event) || say(words.offline, true));
  document.addEventListener("htmx:responseError", (event) => asksByItself(event) || say(words.failed, true));
  // A session that ended answers with the log-in page, which belongs on a page of its own.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const answered = new URL(event.detail.xhr.responseURL || location.href);
    if (answered.pathname === words.login) {
      event.preventDefault();
      location.reload();
    }
  });

  // Parts that follow what happens ask while somebody looks, and not while somebody is choosing something in them.
  function inUse(part) {
    const focused = part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea");
    return focused || part.querySelector("input[type=checkbox]:checked, dialog[open]") !== null;
  }
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (asksByItself(event) && (document.hidden || inUse(event.detail.target))) event.preventDefault();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) document.querySelectorAll("[data-live]").forEach((asking) => htmx.trigger(asking, "wake"));
  });
  // Whoever walks a list stays on the row, or link, on which they were.
  let stood = null;
  const linkTo = (part, link) => link && [...part.querySelectorAll("a")].find((one) => one.getAttribute("href") === link);
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (!asksByItself({ detail: event.detail.requestConfig })) return;
    const part = event.detail.target;
    const href = (element) => element?.getAttribute("href");
    const focused = part.contains(document.activeElement) ? document.activeElement : null;
    stood = { id: part.id, row: href(part.querySelector("[data-walk] > [aria-current] a")), focused: href(focused) };
  });
  document.addEventListener("htmx:afterSwap", () => {
    const part = stood && byId(stood.id);
    if (!part) return;
    linkTo(part, stood.row)?.closest("[data-walk] > *")?.setAttribute("aria-current", "true");
    linkTo(part, stood.focused)?.focus({ preventScroll: true });
    stood = null;
  });

  // One box ticks all boxes of a name: data-ticks="consumers".
  document.addEventListener("change", (event) => {
    const name = event.target.dataset?.ticks;
    // A box may belong to a form that it does not stand in.
    if (name) for (const box of event.target.form.elements) if (box.name === name) box.checked = event.target.checked;
  });

  // A form field that submits its form by itself: data-submits on a select or checkbox.
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
  });
})();
