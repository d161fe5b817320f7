"use strict";

/* Posts what stands after # and shows the answer's frames. Nothing is kept: the address stays the only state. */

const PERIOD = 4000;
const KNOWN = /^[A-Za-z0-9_-]+$/;

const at = (id) => document.getElementById(id);
const show = (id, visible) => { at(id).hidden = !visible; };

let frames = [];
let pictures = [];
let current = 0;
let timer = null;

function clear() {
  rotate(false);
  delete document.body.dataset.frame;
  for (const id of ["sending", "error", "answer", "done", "reason", "retry", "copied"]) show(id, false);
}

/* Words for a code come from the page; a code without words of its own is said to be refused. */
function fail(code, shown, again) {
  const words = at(`error-${code}`) ?? at("error-refused");
  at("error-words").replaceChildren(words.content.cloneNode(true));
  at("error-code").textContent = shown;
  at("error").dataset.code = shown;
  show("error", true);
  show("retry", again);
  at("error").focus();
}

function draw() {
  const parsed = new DOMParser().parseFromString(pictures[current], "image/svg+xml").documentElement;
  if (parsed.localName === "svg") at("picture").replaceChildren(document.importNode(parsed, true));
  at("place").textContent = `${current + 1} / ${frames.length}`;
  document.body.dataset.frame = String(current + 1);
}

function step(by) {
  current = (current + by + frames.length) % frames.length;
  draw();
}

function rotate(on) {
  clearInterval(timer);
  timer = on ? setInterval(() => step(1), PERIOD) : null;
  show("pause-word", on);
  show("play-word", !on);
}

function answer(body) {
  frames = body.frames;
  pictures = body.svg;
  current = 0;
  at("text").value = frames.join("\n");
  const registered = body.refusal === null;
  if (!registered) fail(body.refusal, body.refusal, false);
  show("done", registered);
  show("reason", !registered && frames.length === 1);
  show("controls", frames.length > 1);
  show("answer", true);
  draw();
  rotate(frames.length > 1 && !matchMedia("(prefers-reduced-motion: reduce)").matches);
  if (registered) at("done").focus();
  // A screen that goes dark cannot be scanned; a browser that does not offer this goes on without.
  navigator.wakeLock?.request("screen").catch(() => {});
}

async function send() {
  clear();
  const text = location.hash.slice(1);
  if (text === "") return fail("nothing-to-send", "nothing-to-send", false);
  if (!KNOWN.test(text)) return fail("relay-malformed", "relay-malformed", false);
  show("sending", true);
  try {
    const response = await fetch("/v1/relay", {
      method: "POST",
      headers: { "content-type": "text/plain" },
      body: text,
      cache: "no-store",
    });
    const body = await response.json();
    show("sending", false);
    if (response.ok) return answer(body);
    const code = String(body.code ?? response.status);
    if (response.status === 429) return fail("too-many-requests", code, true);
    if (response.status >= 500) return fail("server-trouble", code, true);
    return fail("relay-malformed", code, false);
  } catch {
    show("sending", false);
    return fail("server-trouble", "server-unreachable", true);
  }
}

async function copy() {
  at("text").select();
  try {
    await navigator.clipboard.writeText(at("text").value);
  } catch {
    document.execCommand("copy");
  }
  show("copied", true);
}

at("retry").addEventListener("click", send);
at("previous").addEventListener("click", () => { rotate(false); step(-1); });
at("next").addEventListener("click", () => { rotate(false); step(1); });
at("pause").addEventListener("click", () => rotate(timer === null));
at("copy").addEventListener("click", copy);
addEventListener("hashchange", send);
send();
