// Loaded before the first paint, so that a dark system never sees a white flash.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => document.documentElement.setAttribute("data-bs-theme", dark.matches ? "dark" : "light");
  apply();
  dark.addEventListener("change", () => {
    apply();
    document.dispatchEvent(new Event("theme:changed"));
  });
})();
