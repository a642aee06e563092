// Dark or light, as the live page, and the button that changes it for all pages on this machine.

const KEPT = "lapwing.theme";
const light = document.getElementById("light");

function paint() {
  const theme = localStorage.getItem(KEPT) === "light" ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  light.setAttribute("aria-pressed", String(theme === "light"));
}

light.addEventListener("click", () => {
  localStorage.setItem(KEPT, light.getAttribute("aria-pressed") === "true" ? "dark" : "light");
  paint();
});
window.addEventListener("storage", paint); // changed on another page
paint();
