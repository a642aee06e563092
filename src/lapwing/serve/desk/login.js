// The log-in page. After it, the page that was asked for, at the same place (the part of the address behind #).

const $ = (id) => document.getElementById(id);
const NEXT = location.search === "?history" ? "/history.html" : "/";
document.documentElement.dataset.theme = localStorage.getItem("lapwing.theme") ?? "dark";

$("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.target.querySelector("button");
  $("told").textContent = "";
  button.disabled = true;
  try {
    const body = JSON.stringify({ name: $("name").value, password: $("password").value });
    const answer = await fetch("/v1/login", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    if (answer.ok) {
      location.replace(NEXT + location.hash);
      return;
    }
    const told = await answer.json().catch(() => ({}));
    throw new Error(told.error ?? `The server answered ${answer.status}.`);
  } catch (error) {
    $("told").textContent = error instanceof TypeError ? "The server does not answer." : error.message;
    $("password").select();
  }
  button.disabled = false;
});
