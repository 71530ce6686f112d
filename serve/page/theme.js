/** Light or dark: what the system prefers until a person chooses. Runs before the first paint. */
(() => {
  const root = document.documentElement;
  const chosen = localStorage.getItem("mgray.theme");
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  window.addEventListener("mgray:theme", () => {
    const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    root.dataset.theme = (root.dataset.theme ?? system) === "dark" ? "light" : "dark";
    localStorage.setItem("mgray.theme", root.dataset.theme);
  });
})();
