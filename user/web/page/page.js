// SPDX-License-Identifier: BSD-2-Clause
// Asks every two seconds, and shows what is. Nothing here changes anything.
import {age, kindOf, line, map, mark, short, svg} from "./graphs.js";

const EVERY_MS = 2000, SAMPLES = 120, SERVICES_ASKED = 500, SERVICES_PAGE = 50, BACKENDS_PAGE = 50, FEW = 150, EVENTS = 200, CHANGES = 12;
const $ = (id) => document.getElementById(id);

const seen = {status: null, services: [], total: 0, verdicts: [], backends: new Map(), block: 0, at: 0};
const past = {packets: [], bytes: [], flows: [], usable: [], services: new Map()};
const cards = new Map(); // services by name
const histories = new Map(); // of backends, by service and name: they stay when rows are drawn anew
let missed = 0, timer = 0, width = 0, busy = false, again = false;

function el(name, attributes = {}, ...children) {
  const e = document.createElement(name);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  e.append(...children);
  return e;
}

/** Only what differs is written, so that nothing flickers and selections stay. */
function put(e, words) {
  if (e.textContent !== String(words)) e.textContent = words;
}

async function ask(path) {
  const stop = new AbortController(), late = setTimeout(() => stop.abort(), 8000);
  try {
    const reply = await fetch(`api/v1/${path}`, {signal: stop.signal, cache: "no-store"});
    if (!reply.ok) throw new Error((await reply.text()).trim() || reply.statusText);
    return await reply.json();
  } finally {
    clearTimeout(late);
  }
}

// ---- figures ---------------------------------------------------------------------------------------------

function remember(list, value) {
  list.push(value);
  if (list.length > SAMPLES) list.shift();
}

function figure(id, value, samples, words) {
  const card = $(id).parentElement, former = card.querySelector("svg");
  const drawn = line(samples, 300, 46, words);
  put($(id), value);
  if (former) former.replaceWith(drawn);
  else card.append(drawn);
}

function showNow() {
  const sum = (key) => seen.services.reduce((n, s) => n + s[key], 0);
  const packets = sum("packets_per_s"), bits = sum("bytes_per_s") * 8, flows = sum("flows_per_s"), s = seen.status;
  remember(past.packets, packets);
  remember(past.bytes, bits);
  remember(past.flows, flows);
  remember(past.usable, s.usable_backends);
  figure("n-packets", short(packets), past.packets, "packets a second, the last four minutes");
  figure("n-bytes", short(bits), past.bytes, "bits a second, the last four minutes");
  figure("n-flows", short(flows), past.flows, "new flows a second, the last four minutes");
  figure("n-backends", s.usable_backends, past.usable, "usable backends, the last four minutes");
  put($("n-of"), `of ${s.backends}`);
  const part = seen.total > seen.services.length ? `, of ${seen.services.length} services` : "";
  for (const id of ["n-packets", "n-bytes", "n-flows"])
    put($(id).nextElementSibling, `${id === "n-bytes" ? "bits " : ""}a second${part}`);
}

// ---- how it is as a whole --------------------------------------------------------------------------------

const detached = () => seen.status.interfaces.filter((i) => i.xdp === "none" || !i.link_up);

function verdictOfAll() {
  const s = seen.status, empty = seen.services.filter((v) => v.backends && !v.usable).length;
  if (detached().length) return ["bad", "interface down"];
  if (empty) return ["bad", `${empty} service${empty === 1 ? "" : "s"} without usable backends`];
  if (s.usable_backends < s.backends) return ["warn", `${s.backends - s.usable_backends} of ${s.backends} backends not usable`];
  if (s.config_error) return ["warn", "reload refused"];
  return s.services ? ["ok", "all well"] : ["", "no services"];
}

function notices() {
  const s = seen.status, list = [];
  if (s.config_error) list.push(["", `The last reload was refused, the configuration before it is in force: ${s.config_error}`]);
  for (const i of detached())
    list.push(["bad", `Interface ${i.name}: ${i.xdp === "none" ? "XDP is not attached" : "its link is down"}${i.note ? `; ${i.note}` : ""}`]);
  for (const v of seen.services) {
    if (v.panicking) list.push(["", `Service ${v.name}: fewer backends are up than panic says; all are used, whatever their checks say`]);
    else if (v.failing_open) list.push(["bad", `Service ${v.name}: no backend is usable; all of them get packets (on_empty: all)`]);
  }
  return list.slice(0, 6);
}

function showState() {
  const [kind, words] = verdictOfAll(), s = seen.status, list = notices();
  $("state").className = `pill ${kind}`;
  put($("state"), words);
  put($("instance"), s.instance === "default" ? "" : s.instance);
  put($("about"), `version ${s.version} · up ${age(s.uptime_ms)}`);
  document.title = kind === "ok" || !kind ? "shunt" : `${words} – shunt`;
  put($("foot"), `${s.config_file}, in force for ${age(s.config_age_ms)}`);
  if ($("notices").dataset.said !== JSON.stringify(list)) {
    $("notices").dataset.said = JSON.stringify(list);
    $("notices").replaceChildren(...list.map(([k, w]) => el("p", {class: `notice ${k}`}, w)));
  }
}

function showMap() {
  const names = seen.status.interfaces.map((i) => `${i.name} ${i.xdp}`).join(", ");
  width = $("map").clientWidth - 36;
  if (!seen.services.length) {
    $("map").replaceChildren(el("p", {class: "empty"}, "There are no services yet: add one to the configuration and reload."));
    return;
  }
  $("map").replaceChildren(map({
    host: "this host", detail: names, rate: past.packets.at(-1), services: seen.services,
    total: seen.total, backends: (name) => seen.backends.get(name)?.rows || [],
  }, Math.max(300, width)));
}

// ---- services --------------------------------------------------------------------------------------------

function address(s) {
  const host = s.vip && s.vip.includes(":") && !s.vip.includes("/") ? `[${s.vip}]` : s.vip || "any";
  return `${host}:${s.ports || s.port || "any"}/${s.protocol}`;
}

function stateMark(state) {
  const kind = kindOf(state);
  return el("span", {class: `state ${kind}`}, svg("svg", {viewBox: "0 0 12 12", "aria-hidden": "true"}, mark(kind, 6, 6, 5.5)), state);
}

function why(b) {
  const probe = [b.code, b.reason].filter(Boolean).join(": ") + (b.check ? ` (check ${b.check})` : "");
  if (["drained", "maintenance", "leaving"].includes(b.state))
    return [b.edit_reason, b.edited_by && `by ${b.edited_by}`, b.drain === "done" && "its flows have ended",
      b.flows_left !== null && b.flows_left !== undefined && `about ${b.flows_left} flows left`, b.health === "down" && probe].filter(Boolean).join("; ");
  if (b.state === "no next hop") return `next hop: ${b.next_hop}`;
  if (b.state === "standby") return b.gets || "not needed now";
  if (b.state === "suspect") return b.passive;
  if (b.passive_out) return [b.passive, b.health === "down" && probe].filter(Boolean).join("; ");
  if (b.state === "down" || b.state === "starting") return probe;
  if (b.share < 16) return `climbs: ${b.share}/16 of its share`;
  return b.health === "unchecked" ? "not checked" : "";
}

function latency(us) {
  if (!us) return "";
  return us < 1000 ? `${us} µs` : us < 1e6 ? `${(us / 1000).toFixed(us < 10000 ? 1 : 0)} ms` : `${(us / 1e6).toFixed(1)} s`;
}

function change(e) {
  const at = new Date(e.time_ms), probe = [e.code, e.reason].filter(Boolean).join(": ") + (e.check ? ` (check ${e.check})` : "");
  return el("li", {},
    el("time", {datetime: at.toISOString()}, at.toLocaleString()),
    el("div", {}, e.from === e.to ? "still " : `${e.from} → `, stateMark(e.to)),
    el("div", {}, [probe, e.by && `by ${e.by}`].filter(Boolean).join("; ")));
}

async function loadHistory(h) {
  if (!h.root.open) return;
  try {
    const names = `service=${encodeURIComponent(h.service)}&backend=${encodeURIComponent(h.backend)}`;
    const {history} = await ask(`history?${names}&limit=${CHANGES}`);
    h.list.replaceChildren(...history.map(change));
    if (!history.length) h.list.append(el("li", {}, "Nothing has become of it since shuntd started."));
  } catch (e) {
    h.list.replaceChildren(el("li", {}, `It could not be asked for: ${e.message}.`));
  }
}

/** The reason why it is as it is; opened, the reasons before. */
function historyOf(service, b, reason) {
  const key = JSON.stringify([service, b.name]);
  let h = histories.get(key);
  if (!h) {
    h = {service, backend: b.name, summary: el("summary"), list: el("ol")};
    h.root = el("details", {class: "history"}, h.summary, h.list);
    h.root.addEventListener("toggle", () => loadHistory(h));
    histories.set(key, h);
  }
  put(h.summary, reason || "history");
  h.summary.setAttribute("aria-label", `${reason ? `${reason}; ` : ""}history of ${b.name}`);
  return h.root;
}

function forgetHistories(service, rows) {
  const names = new Set(rows.map((b) => b.name));
  for (const [key, h] of histories) if (h.service === service && !names.has(h.backend)) histories.delete(key);
}

function backendRow(b, s) {
  const slots = s.slots;
  const part = slots ? b.slots / slots : 0, bar = el("i");
  const endpoint = b.port ? (b.address?.includes(":") ? `[${b.address}]:${b.port}` : `${b.address}:${b.port}`) : b.address;
  bar.style.width = `${(part * 100).toFixed(1)}%`;
  const reason = why(b);
  return el("tr", {},
    el("td", {}, el("div", {class: "name"}, b.name), el("div", {class: "address"}, endpoint || "")),
    el("td", {}, stateMark(b.state)),
    el("td", {class: "wide"}, el("div", {class: "why"}, historyOf(s.name, b, reason))),
    el("td", {class: "num", "data-label": "share"}, el("span", {class: "share"}, `${(part * 100).toFixed(part < 0.0995 && part > 0 ? 1 : 0)} %`, el("span", {class: "bar", "aria-hidden": "true"}, bar))),
    el("td", {class: "num right", "data-label": "weight"}, b.weight === b.configured_weight ? `${b.weight}` : `${b.weight} (${b.configured_weight})`),
    el("td", {class: "num", "data-label": "packets/s"}, short(b.packets_per_s)),
    el("td", {class: "num right", "data-label": "new flows/s"}, short(b.flows_per_s)),
    el("td", {class: "num", "data-label": "answers in"}, latency(b.latency_us) || "–"));
}

const heads = [["Backend"], ["State"], ["Why"], ["Share of slots", 1], ["Weight", 1], ["Packets/s", 1], ["New flows/s", 1], ["Answers in", 1]];

function newCard(name) {
  const c = {name, offset: 0};
  c.title = el("h3");
  c.address = el("div", {class: "address"});
  c.usable = el("div", {class: "figure"});
  c.packets = el("div", {class: "figure rate"});
  c.bytes = el("div", {class: "figure rate"});
  c.spark = el("div", {class: "rate"});
  c.facts = el("div", {class: "facts"});
  c.shares = el("div", {class: "shares", role: "img"});
  c.body = el("tbody");
  c.table = el("div", {class: "table"}, el("table", {class: "backends"},
    el("thead", {}, el("tr", {}, ...heads.map(([w, n]) => el("th", {scope: "col", class: n ? "num" : ""}, w)))), c.body));
  c.before = el("button", {type: "button"}, "Back");
  c.after = el("button", {type: "button"}, "Further");
  c.where = el("span");
  c.pager = el("div", {class: "pager", hidden: ""}, c.before, c.where, c.after);
  c.root = el("details", {class: "service"}, el("summary", {}, el("div", {}, c.title, c.address), c.usable, c.packets, c.bytes, c.spark),
    c.facts, c.shares, c.table, c.pager);
  const turn = (by) => { c.offset = Math.max(0, c.offset + by); refresh(); };
  c.before.addEventListener("click", () => turn(-BACKENDS_PAGE));
  c.after.addEventListener("click", () => turn(BACKENDS_PAGE));
  c.root.addEventListener("toggle", () => c.root.open && c.loaded !== true && refresh());
  return c;
}

function fill(e, big, small) {
  if (e.dataset.said === big + small) return;
  e.dataset.said = big + small;
  e.replaceChildren(el("b", {}, big), el("span", {}, small));
}

function showBackends(c, s) {
  const known = seen.backends.get(s.name), rows = known?.rows || [], said = JSON.stringify([rows, s.slots]);
  c.loaded = Boolean(known);
  if (c.said === said) return;
  c.said = said;
  const own = known && known.total <= BACKENDS_PAGE ? rows : rows.slice(known?.own ? 0 : c.offset, known?.own ? rows.length : c.offset + BACKENDS_PAGE);
  const focused = c.body.contains(document.activeElement) ? document.activeElement : null;
  forgetHistories(s.name, own);
  c.body.replaceChildren(...own.map((b) => backendRow(b, s)));
  focused?.focus({preventScroll: true});
  c.shares.setAttribute("aria-label", "shares of the slots: " + own.filter((b) => b.slots).map((b) => `${b.name} ${Math.round((100 * b.slots) / s.slots)} %`).join(", "));
  c.shares.replaceChildren(...own.filter((b) => b.slots).map((b) => {
    const part = el("i", {title: `${b.name}: ${b.slots} slots`});
    part.style.flexGrow = b.slots;
    return part;
  }));
  c.table.hidden = !own.length;
  c.shares.hidden = !own.some((b) => b.slots);
  c.pager.hidden = !known || known.total <= BACKENDS_PAGE;
  c.before.disabled = c.offset === 0;
  c.after.disabled = !known || c.offset + BACKENDS_PAGE >= known.total;
  put(c.where, known ? `${c.offset + 1} to ${Math.min(c.offset + BACKENDS_PAGE, known.total)} of ${known.total} backends` : "");
}

function facts(s) {
  const list = [["scheduler", s.scheduler], ["forward", s.forward], ["check", s.check], ["slots", s.slots],
    ["new flows/s", short(s.flows_per_s)]];
  if (s.moving) list.push(["slots in transition", s.moving]);
  if (s.no_backend) list.push(["packets without a backend", short(s.no_backend)]);
  if (s.over_rate) list.push(["packets over its rates", short(s.over_rate)]);
  return list.map(([k, v]) => el("span", {}, `${k} `, el("b", {}, v)));
}

function showCard(c, s) {
  const samples = past.services.get(s.name);
  put(c.title, s.name);
  put(c.address, address(s));
  fill(c.usable, `${s.usable} / ${s.backends}`, s.backends && !s.usable ? "none usable" : s.usable < s.backends ? "some not usable" : "usable");
  c.usable.className = "figure";
  c.usable.firstChild.className = `state ${!s.usable ? "bad" : s.usable < s.backends ? "warn" : "ok"}`;
  fill(c.packets, short(s.packets_per_s), "packets/s");
  fill(c.bytes, short(s.bytes_per_s * 8), "bits/s");
  c.spark.replaceChildren(line(samples, 120, 32, `packets a second of ${s.name}, the last two minutes`));
  c.facts.replaceChildren(...facts(s));
  showBackends(c, s);
}

function showServices() {
  const list = $("list"), found = seen.services.filter(isWanted);
  seen.at = Math.max(0, Math.min(seen.at, Math.floor((found.length - 1) / SERVICES_PAGE) * SERVICES_PAGE));
  const wanted = found.slice(seen.at, seen.at + SERVICES_PAGE), present = new Set(wanted.map((s) => s.name));
  let room = FEW;
  for (const [name, c] of cards)
    if (!present.has(name)) {
      c.root.remove();
      cards.delete(name);
      forgetHistories(name, []);
    }
  wanted.forEach((s, i) => {
    let c = cards.get(s.name);
    if (!c) {
      c = newCard(s.name);
      cards.set(s.name, c);
      c.root.open = wanted.length <= 6 && s.backends <= (room -= s.backends);
    }
    showCard(c, s);
    if (list.children[i] !== c.root) list.insertBefore(c.root, list.children[i] || null);
  });
  list.querySelector(":scope > .empty")?.remove();
  if (!wanted.length)
    list.append(el("p", {class: "empty card"}, seen.total ? "No service fits what is looked for." : "There are no services yet: add one to the configuration and reload."));
  showPages(found.length);
}

function isWanted(s) {
  const words = $("find").value.trim().toLowerCase();
  if ($("trouble").checked && s.usable >= s.backends && !s.failing_open) return false;
  return !words || s.name.toLowerCase().includes(words) || address(s).includes(words);
}

/** Pages of the @n services that are looked for, of those that were asked for at once, and of further ones. */
function turnServices(by, n) {
  const next = seen.at + by * SERVICES_PAGE;
  if (next >= 0 && next < n) {
    seen.at = next;
    showServices();
    return;
  }
  seen.block += by * SERVICES_ASKED;
  seen.at = by > 0 ? 0 : SERVICES_ASKED;
  refresh();
}

function showPages(n) {
  const nav = $("pages"), last = seen.block + SERVICES_ASKED >= seen.total, said = JSON.stringify([seen.block, seen.at, n, seen.total]);
  nav.hidden = n <= SERVICES_PAGE && seen.total <= SERVICES_ASKED;
  if (nav.hidden || nav.dataset.said === said) return;
  nav.dataset.said = said;
  const button = (words, by, can) => {
    const b = el("button", {type: "button"}, words);
    b.disabled = !can;
    b.addEventListener("click", () => turnServices(by, n));
    return b;
  };
  const all = n === seen.services.length, from = (all ? seen.block : 0) + seen.at;
  const of = all ? `${seen.total} services` : `${n} found${seen.total > SERVICES_ASKED ? ` among ${seen.services.length} services` : ""}`;
  nav.replaceChildren(button("Back", -1, seen.at > 0 || seen.block > 0),
    el("span", {}, `${n ? from + 1 : 0} to ${from + Math.min(SERVICES_PAGE, n - seen.at)} of ${of}`),
    button("Further", 1, seen.at + SERVICES_PAGE < n || !last));
}

// ---- verdicts and events ---------------------------------------------------------------------------------

function showVerdicts() {
  const rows = seen.verdicts.filter((v) => v.packets).sort((a, b) => b.packets - a.packets).slice(0, 14);
  const said = JSON.stringify(rows), body = $("verdicts").tBodies[0];
  if (body.dataset.said === said) return;
  body.dataset.said = said;
  body.replaceChildren(...rows.map((v) => el("tr", {},
    el("td", {}, el("span", {class: "mono"}, v.name), el("span", {class: "meaning"}, v.meaning)),
    el("td", {class: "num"}, short(v.packets)), el("td", {class: "num"}, short(v.packets_per_s)))));
  if (!rows.length) body.append(el("tr", {}, el("td", {class: "soft", colspan: "3"}, "No packet has come yet.")));
}

const two = (n) => String(n).padStart(2, "0");

function addEvent(e, isNew) {
  const at = new Date(Number(e.time_ms)), kind = e.kind === "service_empty" ? (/no usable|nobody/.test(e.text) ? "bad" : "ok") : e.to ? kindOf(e.to) : "idle";
  const list = $("events");
  list.querySelector(".empty")?.remove();
  list.prepend(el("li", {class: isNew ? "new" : ""},
    el("time", {datetime: at.toISOString(), title: at.toLocaleString()}, `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`),
    el("p", {}, svg("svg", {viewBox: "0 0 12 12", class: "mark", "aria-hidden": "true"}, mark(kind, 6, 6, 5.5)), e.text || e.kind)));
  while (list.children.length > EVENTS) list.lastChild.remove();
}

function listen() {
  const source = new EventSource("api/v1/events"), began = Date.now();
  source.addEventListener("open", () => put($("listening"), "as they happen"));
  source.addEventListener("message", (m) => {
    const e = JSON.parse(m.data);
    addEvent(e, Date.now() - began > 1500);
    for (const h of histories.values()) if (h.service === e.service && h.backend === e.backend) loadHistory(h);
    if (Date.now() - began > 1500) refresh();
  });
  source.addEventListener("error", () => {
    put($("listening"), source.readyState === EventSource.CLOSED ? "too many listen already; tried again soon" : "connecting again…");
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 15000);
  });
}

// ---- asking ----------------------------------------------------------------------------------------------

/** All backends at once while they are few; else those of the services that are open, a page each. */
async function askBackends(status, services) {
  const found = new Map();
  if (status.backends <= FEW) {
    const all = await ask(`backends?limit=${2 * FEW}`);
    for (const s of services) found.set(s.name, {rows: [], total: 0, own: false});
    for (const b of all.backends) found.get(b.service)?.rows.push(b);
    for (const k of found.values()) k.total = k.rows.length;
    return found;
  }
  const open = services.filter((s) => cards.get(s.name)?.root.open).slice(0, 8);
  const replies = await Promise.all(open.map((s) =>
    ask(`backends?service=${encodeURIComponent(s.name)}&offset=${cards.get(s.name).offset}&limit=${BACKENDS_PAGE}`)));
  open.forEach((s, i) => found.set(s.name, {rows: replies[i].backends, total: replies[i].total, own: true}));
  return found;
}

async function look() {
  const [status, services, verdicts] = await Promise.all(
    [ask("status"), ask(`services?offset=${seen.block}&limit=${SERVICES_ASKED}`), ask("verdicts")]);
  const backends = await askBackends(status, services.services);
  Object.assign(seen, {status, services: services.services, total: services.total, verdicts: verdicts.verdicts, backends});
  if (seen.block >= seen.total) seen.block = 0;
  const names = new Set(seen.services.map((s) => s.name));
  for (const name of past.services.keys()) if (!names.has(name)) past.services.delete(name);
  for (const s of seen.services) {
    if (!past.services.has(s.name)) past.services.set(s.name, []);
    remember(past.services.get(s.name), s.packets_per_s);
    if (past.services.get(s.name).length > 60) past.services.get(s.name).shift();
  }
  showNow();
  showState();
  showServices();
  showVerdicts();
  showMap();
}

async function refresh() {
  if (busy) {
    again = true;
    return;
  }
  busy = true;
  again = false;
  clearTimeout(timer);
  try {
    await look();
    missed = 0;
  } catch (e) {
    missed++;
    $("state").className = "pill bad";
    put($("state"), `no answer${missed > 1 ? ` for ${age(missed * EVERY_MS)}` : ""}`);
    document.title = "no answer – shunt";
  }
  document.body.dataset.looks = Number(document.body.dataset.looks || 0) + 1;
  busy = false;
  timer = setTimeout(refresh, again ? 200 : document.hidden ? 5 * EVERY_MS : EVERY_MS);
}

$("events").append(el("li", {class: "empty"}, "Nothing has happened since shuntd began to serve this page."));
for (const [id, type] of [["find", "input"], ["trouble", "change"]])
  $(id).addEventListener(type, () => {
    seen.at = 0;
    if (seen.status) showServices();
  });
document.addEventListener("visibilitychange", () => !document.hidden && refresh());
new ResizeObserver(() => {
  if (seen.status && Math.abs($("map").clientWidth - 36 - width) > 4) showMap();
}).observe($("map"));
refresh();
listen();
