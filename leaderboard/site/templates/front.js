// One protocol's tables at a time: the first may be in the page, the others are files beside it.
const place = field("tables"), known = new Map(), arrived = new Map(), chooser = field("protocol");
const choices = JSON.parse(field("protocols").textContent); // [key, file]
globalThis.flythroughTables = (key, html) => arrived.get(key)?.(html);
if (place.children.length) known.set(choices[0][0], Promise.resolve([...place.childNodes]));

function tablesOf([key, file]) {
  if (!known.has(key)) {
    known.set(key, new Promise((resolve, reject) => {
      arrived.set(key, (html) => {
        const made = document.createElement("template");
        made.innerHTML = html; // made with the page, and escaped as the page is
        resolve([...made.content.childNodes]);
      });
      const script = Object.assign(document.createElement("script"), { src: file });
      script.onerror = () => { known.delete(key); reject(new Error(`${file} is not beside this page`)); };
      document.head.append(script);
    }));
  }
  return known.get(key);
}

let wanted = "";
async function show(choice) {
  wanted = choice[0];
  if (chooser) chooser.value = wanted;
  try {
    const nodes = await tablesOf(choice);
    if (wanted !== choice[0]) return;
    field("message").textContent = "";
    if (nodes[0]?.parentNode !== place) place.replaceChildren(...nodes);
    prepare();
    readPlots();
  } catch (error) {
    field("message").textContent = error.message;
  }
}

async function follow() { // a link to a table or a row begins with its protocol's hash, maybe after "protocol-"
  const anchor = decodeURIComponent(location.hash.slice(1));
  const choice = choices.find(([key]) => anchor.replace("protocol-", "").startsWith(key.slice(0, 8)));
  if (!choice && wanted) return;
  await show(choice ?? choices[0]);
  if (choice && document.getElementById(anchor)) location.replace(location.hash); // scrolls there, and marks the row
}

chooser?.addEventListener("change", () => {
  const choice = choices.find(([key]) => key === chooser.value);
  history.replaceState(null, "", `#protocol-${choice[0].slice(0, 8)}`);
  show(choice);
});
addEventListener("hashchange", follow);
if (choices.length) follow();
