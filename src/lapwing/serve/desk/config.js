// The page of the site file: change it, see what is wrong, keep it as a version, go back, start again with it.

const $ = (id) => document.getElementById(id);
let now = 0; // the version that the editor began from

function h(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
async function ask(path, body) {
  const answer = await fetch(path, body && { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
  const told = await answer.json();
  if (answer.status === 401) location.replace("/login.html?config");
  if (!answer.ok) throw Object.assign(new Error(told.error ?? `The server answered ${answer.status}.`), { problems: told.problems ?? [] });
  return told;
}
function say(text, wrong = false) {
  $("told").textContent = text;
  $("told").toggleAttribute("data-wrong", wrong);
}
const list = (id, lines) => $(id).replaceChildren(...lines.map((line) => h("li", {}, line)));
const utc = (ns) => new Date(Number(BigInt(ns) / 1000000n)).toISOString().slice(0, 19).replace("T", " ");

async function load(text = null) {
  const told = await ask("/v1/config");
  now = told.now.version;
  $("file").textContent = told.file;
  $("version").textContent = `version ${now}${told.running === now ? ", running" : `; version ${told.running} is running`}`;
  if (text === null) $("text").value = told.text;
  $("versions").replaceChildren(...told.versions.map((v) => {
    const open = h("button", { type: "button", "aria-label": `Load version ${v.version}` }, "Load");
    open.addEventListener("click", () => tried(async () => {
      const old = await ask(`/v1/config/versions/${v.version}`);
      $("text").value = old.text;
      $("note").value = `back to version ${v.version}`;
      $("difference").textContent = old.difference;
      list("problems", []);
      list("words", []);
      say(`Version ${v.version} is in the editor. It is not kept yet.`);
    }));
    const marks = v.version === told.running ? " (running)" : "";
    return h("tr", {}, h("td", {}, `${v.version}${marks}`), h("td", {}, utc(v.at_ns)), h("td", {}, v.name), h("td", {}, v.note), h("td", {}, open));
  }));
}
async function tried(act) {
  try {
    await act();
  } catch (error) {
    list("problems", error.problems ?? []);
    list("words", []);
    say(error instanceof TypeError ? "The server does not answer." : error.message, true);
  }
}
$("check").addEventListener("click", () => tried(async () => {
  const told = await ask("/v1/config/check", { text: $("text").value });
  list("problems", told.problems);
  list("words", told.words);
  $("difference").textContent = told.difference;
  say(told.problems.length ? `${told.problems.length} mistake${told.problems.length > 1 ? "s" : ""}. Nothing was kept.` : "Good. It would do this:", told.problems.length > 0);
}));
$("save").addEventListener("click", () => tried(async () => {
  const made = await ask("/v1/config", { text: $("text").value, begun_from: now, note: $("note").value });
  list("problems", []);
  list("words", made.words);
  $("difference").textContent = "";
  $("note").value = "";
  await load($("text").value);
  say(`Kept as version ${made.version}. It counts from the next start on.`);
}));
$("restart").addEventListener("click", () => tried(async () => {
  if ($("restart").dataset.sure === undefined) { // asked once more, in the button itself
    $("restart").dataset.sure = "";
    $("restart").textContent = "Yes, start again: the picture is away for some seconds";
    setTimeout(calm, 8000);
    return;
  }
  calm();
  const told = await ask("/v1/config/restart", {});
  say(`Starting again with version ${told.restarting}…`);
  await back();
}));
function calm() {
  delete $("restart").dataset.sure;
  $("restart").textContent = "Start again with it";
}
async function back() {
  for (let tries = 0; tries < 60; tries += 1) {
    await new Promise((done) => setTimeout(done, 1000));
    try {
      await load($("text").value);
      const [version] = $("version").textContent.split(";");
      say(`Running again: ${version}.`);
      return;
    } catch { /* not yet */ }
  }
  say("The site has not come back within a minute: look at its log.", true);
}
tried(load.bind(null, null));
