// Runs before the first paint, so that no page flashes in the wrong theme.
const chosen = (() => {
  try {
    return localStorage.getItem("winepress-theme");
  } catch {
    return null; // storage is switched off
  }
})();
if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
