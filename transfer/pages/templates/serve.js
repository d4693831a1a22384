"use strict";
const SHOWN = 200;  // answers on the page; all of them are in the history
const AT_ONCE = 8;  // pictures in a request
const BARS = 5;  // classes that are shown at once
const PICTURE = /\.(jpe?g|jpe|jfif|png|webp|gif|bmp|tiff?|avif|hei[cf])$/i;
const id = name => document.getElementById(name);
const percent = share => (100 * share).toFixed(1) + " %";
const history_rows = [];
let known = {models: [], collects: false, most_megabytes: 0};
let queue = Promise.resolve();

function made(tag, properties = {}, ...inside) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...inside);
  return element;
}

function tell(sentence) { id("told").textContent = sentence; }

const wait = milliseconds => new Promise(done => setTimeout(done, milliseconds));

async function token() {
  id("asking").showModal();
  await new Promise(done => id("asking").addEventListener("close", done, {once: true}));
  sessionStorage.setItem("token", id("token").value);
  id("token").value = "";
}

// The JSON of an answer; a server that is busy is asked again, and one that wants a token gets it.
async function ask(address, form) {
  for (let tries = 0; ; tries++) {
    const bearing = sessionStorage.getItem("token");
    const headers = bearing ? {Authorization: "Bearer " + bearing} : {};
    let answer;
    try {
      answer = await fetch(address, {method: form ? "POST" : "GET", body: form, headers});
    } catch {
      throw new Error("the server does not answer; is it still running?");
    }
    if (answer.status === 401) {
      await token();
    } else if ((answer.status === 429 || answer.status === 503) && tries < 20) {
      tell("The server is busy, trying again …");
      await wait(1000);
    } else {
      const said = await answer.json().catch(() => ({error: "the server said nothing that can be read"}));
      if (!answer.ok) throw new Error(said.error);
      return said;
    }
  }
}

function form_of(files, fields) {
  const form = new FormData();
  for (const file of files) form.append("files", file, file.name || "picture");
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  return form;
}

const model = () => known.models.find(each => each.name === id("model").value) || known.models[0];

function show_model() {
  const mine = model();
  id("about").textContent = `${mine.name} knows ${mine.class_names.length} classes: ` +
    mine.class_names.slice(0, 12).join(", ") + (mine.class_names.length > 12 ? " …" : "");
  id("classes").replaceChildren(...mine.class_names.map(name => made("option", {value: name})));
}

async function begin() {
  try {
    known = await ask("models");
  } catch (error) {
    return tell("Sorry: " + error.message);
  }
  id("model").replaceChildren(...known.models.map(each => made("option", {}, each.name)));
  id("which").hidden = known.models.length < 2;
  show_model();
}

function take(files) {
  files = [...files];
  const most = known.most_megabytes * 1e6 - 1e4 * AT_ONCE;
  queue = queue.then(async () => {
    let group = [], bytes = 0, done = 0;
    const send = async () => {
      const mine = group;
      group = [], bytes = 0;
      if (!mine.length) return;
      tell(`Asking: ${done + 1} to ${done + mine.length} of ${files.length} …`);
      await answer(mine);
      done += mine.length;
    };
    for (const file of files) {
      if (file.size > most) {
        await send();
        show(file, {readable: false, error: `is larger than the ${known.most_megabytes} MB that the server takes`}, {});
        done += 1;
        continue;
      }
      if (group.length === AT_ONCE || bytes + file.size > most) await send();
      group.push(file);
      bytes += file.size;
    }
    await send();
    const failed = history_rows.slice(history_rows.length - files.length).filter(row => row.error).length;
    tell(`${files.length} ${files.length === 1 ? "picture" : "pictures"} answered` +
      (failed ? `, ${failed} of them could not be read` : ""));
  }).catch(error => tell("Sorry: " + error.message));
  return queue;
}

async function answer(files) {
  const said = await ask("classify", form_of(files, {model: model().name}));
  files.forEach((file, place) => show(file, said.predictions[place], said));
}

function show(file, answer, asked) {
  const row = {
    file: file.webkitRelativePath || file.name || "picture", time: new Date().toISOString(), model: asked.model || "",
    version: asked.version || "", answer, corrected: "", error: answer.readable ? "" : answer.error,
  };
  history_rows.push(row);
  const address = URL.createObjectURL(file);
  const image = made("img", {src: address, alt: row.file});
  image.addEventListener("error", () => image.replaceWith(made("p", {className: "gone"}, "no preview")));
  const shown = made("div", {className: "shown"}, image);
  const words = made("div", {}, made("h2"), made("p", {className: "note"}, row.file));
  const card = made("article", {className: "card"}, shown, words);
  card.row = row;
  card.address = address;
  if (answer.readable) {
    const sorted = Object.entries(answer.probabilities).sort((a, b) => b[1] - a[1]);
    words.append(bars(sorted.slice(0, BARS)));
    if (sorted.length > BARS) {
      words.append(made("details", {}, made("summary", {}, `all ${sorted.length} classes`), bars(sorted.slice(BARS))));
    }
    const actions = made("div", {className: "actions"});
    const about = known.models.find(each => each.name === row.model);
    if (about && about.can_show_where) actions.append(look_button(file, row, shown));
    if (known.collects) actions.append(correction(file, row));
    words.append(actions);
  }
  judge(card);
  id("answers").prepend(card);
  id("history").hidden = false;
  while (id("answers").children.length > SHOWN) forget(id("answers").lastChild);
}

function bars(pairs) {
  return made("ul", {className: "bars"}, ...pairs.map(([name, share]) => {
    const bar = made("i");
    bar.style.width = percent(share).replace(" ", "");
    const outer = made("span", {className: "bar"}, bar);
    outer.setAttribute("aria-hidden", "true");
    return made("li", {}, made("span", {className: "called"}, name), outer,
      made("span", {className: "value"}, percent(share)));
  }));
}

const is_sure = row => row.answer.readable && row.answer.probability >= id("least").value / 100;

function judge(card) {
  const {answer} = card.row, title = card.querySelector("h2");
  title.className = answer.readable ? "" : "is-problem";
  if (!answer.readable) {
    title.textContent = `This file ${answer.error}`;
  } else if (is_sure(card.row)) {
    title.replaceChildren(answer.label, " ", made("small", {}, percent(answer.probability)));
  } else {
    title.replaceChildren("Not sure ", made("small", {}, `perhaps ${answer.label}, ${percent(answer.probability)}`));
  }
}

function look_button(file, row, shown) {
  const button = made("button", {type: "button"}, "Where did it look?");
  let figure = null, is_asking = false;
  button.addEventListener("click", async () => {
    if (figure) {
      figure.hidden = !figure.hidden;
      button.setAttribute("aria-pressed", String(!figure.hidden));
      return;
    }
    if (is_asking) return;
    is_asking = true;
    try {
      const fields = {model: row.model, version: row.version};
      const {method, image} = await ask("look", form_of([file], fields));
      const words = `${method}: bright is what decided for ${row.answer.label}`;
      figure = made("figure", {}, made("img", {src: image, alt: words}), made("figcaption", {}, words));
      shown.append(figure);
      button.setAttribute("aria-pressed", "true");
      tell(words);
    } catch (error) {
      tell("Sorry: " + error.message);
    }
    is_asking = false;
  });
  return button;
}

function correction(file, row) {
  const input = made("input", {type: "text", required: true, placeholder: "it really is …", maxLength: 100});
  input.setAttribute("list", "classes");
  input.setAttribute("aria-label", `what ${row.file} really is`);
  const button = made("button", {}, "Save the right answer");
  const form = made("form", {className: "row correct actions"}, input, button);
  form.addEventListener("submit", async event => {
    event.preventDefault();
    try {
      const {saved} = await ask("corrections", form_of([file], {class_name: input.value}));
      row.corrected = input.value.trim();
      tell(`Saved as ${saved}`);
    } catch (error) {
      tell("Sorry: " + error.message);
    }
  });
  return form;
}

function forget(card) {
  URL.revokeObjectURL(card.address);
  card.remove();
}

// A cell that a spreadsheet would run gets a quote before it.
function cell(value) {
  const text = String(value);
  return '"' + (/^'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/.test(text) ? "'" + text : text).replaceAll('"', '""') + '"';
}

function save_history() {
  const lines = [["file", "predicted", "probability", "corrected", "model", "version", "time", "error"]];
  for (const row of history_rows) {
    const readable = row.answer.readable;
    lines.push([row.file, is_sure(row) ? row.answer.label : "", readable ? row.answer.probability : "", row.corrected,
      row.model, row.version, row.time, row.error]);
  }
  const table = new Blob([lines.map(line => line.map(cell).join(",") + "\r\n").join("")], {type: "text/csv"});
  const link = made("a", {href: URL.createObjectURL(table), download: "answers.csv"});
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// The pictures in dropped folders, each with its place in them.
async function files_below(entry) {
  if (entry.isFile) {
    const file = await new Promise((done, failed) => entry.file(done, failed));
    return PICTURE.test(file.name) && !file.name.startsWith(".") ? [file] : [];
  }
  const reader = entry.createReader(), found = [];
  for (;;) {
    const some = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (!some.length) return found;
    for (const each of some) found.push(...await files_below(each));
  }
}

async function drop(transfer) {
  const entries = [...transfer.items].map(item => item.webkitGetAsEntry && item.webkitGetAsEntry());
  const files = [...transfer.files];
  const found = [];
  for (const [place, entry] of entries.entries()) {
    if (entry && entry.isDirectory) found.push(...await files_below(entry));
    else if (files[place]) found.push(files[place]);
  }
  take_some(found.length || entries.length ? found : files);
}

function take_some(files) {
  if (files.length) take(files);
  else tell("There are no pictures in it");
}

async function shoot() {
  const video = id("video");
  const canvas = made("canvas", {width: video.videoWidth, height: video.videoHeight});
  canvas.getContext("2d").drawImage(video, 0, 0);
  const blob = await new Promise(done => canvas.toBlob(done, "image/jpeg", 0.95));
  id("shooting").close();
  if (blob) take([new File([blob], `camera-${new Date().toISOString().replace(/\D/g, "").slice(0, 14)}.jpg`)]);
}

async function open_camera() {
  try {
    id("video").srcObject = await navigator.mediaDevices.getUserMedia({video: {facingMode: "environment"}});
    id("shooting").showModal();
  } catch {
    tell("There is no camera that this page may use");
  }
}

function close_camera() {
  for (const track of id("video").srcObject?.getTracks() ?? []) track.stop();
  id("video").srcObject = null;
}

id("choose").addEventListener("click", () => id("files").click());
id("choose-folder").addEventListener("click", () => id("folder").click());
id("files").addEventListener("change", event => {
  take([...event.target.files]);
  event.target.value = "";
});
id("folder").addEventListener("change", event => {
  take_some([...event.target.files].filter(file => PICTURE.test(file.name) && !file.name.startsWith(".")));
  event.target.value = "";
});
document.addEventListener("paste", event => { if (event.clipboardData.files.length) take(event.clipboardData.files); });
document.addEventListener("dragover", event => {
  event.preventDefault();
  id("drop").classList.add("over");
});
document.addEventListener("dragleave", event => { if (!event.relatedTarget) id("drop").classList.remove("over"); });
document.addEventListener("drop", event => {
  event.preventDefault();
  id("drop").classList.remove("over");
  drop(event.dataTransfer);
});
id("least").addEventListener("input", () => {
  id("least-said").textContent = id("least").value + " %";
  for (const card of id("answers").children) judge(card);
});
id("model").addEventListener("change", show_model);
id("save").addEventListener("click", save_history);
id("clear").addEventListener("click", () => {
  while (id("answers").lastChild) forget(id("answers").lastChild);
  history_rows.length = 0;
  id("history").hidden = true;
  tell("");
  id("choose").focus();
});
if (navigator.mediaDevices?.getUserMedia) {
  id("camera").addEventListener("click", open_camera);
  id("shoot").addEventListener("click", shoot);
  id("no-shoot").addEventListener("click", () => id("shooting").close());
  id("shooting").addEventListener("close", close_camera);
} else {
  id("camera").hidden = true;
}
begin();
