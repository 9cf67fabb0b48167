// SPDX-License-Identifier: BSD-2-Clause
// Numbers in few characters, and what is drawn: lines of rates, marks of states, and the map.

const SVG = "http://www.w3.org/2000/svg";

/** An element of SVG with attributes and children. */
export function svg(name, attributes = {}, ...children) {
  const e = document.createElementNS(SVG, name);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  e.append(...children);
  return e;
}

/** 1234567 as "1.23 M": three digits that count, thousands by letter. */
export function short(n) {
  const units = ["", " k", " M", " G", " T", " P"];
  let u = 0;
  while (n >= 999.5 && u < units.length - 1) {
    n /= 1000;
    u++;
  }
  const digits = u === 0 || n >= 99.95 ? 0 : n >= 9.995 ? 1 : 2;
  return n.toFixed(digits) + units[u];
}

/** Milliseconds as "3 d 4 h", "12 s". */
export function age(ms) {
  const s = Math.floor(ms / 1000), m = Math.floor(s / 60), h = Math.floor(m / 60), d = Math.floor(h / 24);
  if (d) return `${d} d ${h % 24} h`;
  if (h) return `${h} h ${m % 60} min`;
  if (m) return m < 10 ? `${m} min ${s % 60} s` : `${m} min`;
  return `${s} s`;
}

/** A line over samples that are two seconds apart, the newest at the right; a few do not fill it. */
export function line(samples, width, height, words) {
  const top = Math.max(1, ...samples), step = width / (Math.max(samples.length, 15) - 1), from = width - (samples.length - 1) * step;
  const points = samples.map((v, i) => `${(from + i * step).toFixed(1)} ${(height - 2 - (v / top) * (height - 6)).toFixed(1)}`);
  const picture = svg("svg", {viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": words, class: "spark"});
  if (points.length > 1) {
    picture.append(
      svg("path", {class: "graph-area", d: `M${from.toFixed(1)} ${height}L${points.join("L")}L${width} ${height}Z`}),
      svg("path", {class: "graph-line", d: `M${points.join("L")}`}));
  } else {
    picture.append(svg("path", {class: "graph-line", d: `M0 ${height - 2}H${width}`, opacity: ".25"}));
  }
  return picture;
}

const kinds = {
  up: "ok", unchecked: "ok", starting: "idle", standby: "idle", leaving: "warn", drained: "warn", maintenance: "warn", suspect: "warn",
  down: "bad", "no next hop": "bad",
};
export const kindOf = (state) => kinds[state] || "idle";

/** A mark that differs by shape too: a disc, a ring, a triangle, a cross. */
export function mark(kind, x, y, r) {
  const c = {class: `mark-${kind}`};
  if (kind === "bad") {
    const a = r * 0.45, b = r;
    return svg("path", {...c, d: `M${x - b} ${y - a}L${x - a} ${y - b}L${x} ${y - b + a}L${x + a} ${y - b}L${x + b} ${y - a}L${x + b - a} ${y}L${x + b} ${y + a}L${x + a} ${y + b}L${x} ${y + b - a}L${x - a} ${y + b}L${x - b} ${y + a}L${x - b + a} ${y}Z`});
  }
  if (kind === "warn") return svg("path", {...c, d: `M${x} ${y - r}L${x + r} ${y + r * 0.8}L${x - r} ${y + r * 0.8}Z`});
  if (kind === "idle") return svg("path", {...c, "fill-rule": "evenodd", d: ring(x, y, r) + ring(x, y, r * 0.55)});
  return svg("circle", {...c, cx: x, cy: y, r});
}
const ring = (x, y, r) => `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0Z`;

// ---- the map: clients -> this host -> services -> backends ------------------------------------------------

const SERVICES = 8, BACKENDS = 8, ROW = 34, GAP = 18;
const pen = document.createElement("canvas").getContext("2d");
const PLAIN = "13px", STRONG = "600 13px", SMALL = "11.5px"; // as in page.css
/** How wide it is, in pixels. */
function wide(words, font) {
  pen.font = `${font} system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif`;
  return pen.measureText(words).width;
}
/** As much of it as there is room for. */
function cut(words, room, font) {
  if (wide(words, font) <= room) return words;
  let n = words.length;
  while (n > 1 && wide(words.slice(0, n) + "…", font) > room) n--;
  return words.slice(0, n) + "…";
}
const text = (words, x, y, attributes = {}) => svg("text", {x, y, ...attributes}, words);
/** Thicker where more goes: by the logarithm. */
const thickness = (rate) => 1.6 + Math.min(3.4, Math.log10(rate + 1) * 0.75);

function link(g, from, to, rate, dead) {
  const middle = (from[0] + to[0]) / 2;
  const d = from[0] === to[0] || to[2]
    ? `M${from[0]} ${from[1]}V${to[1] - 6}q0 6 6 6H${to[0]}`
    : `M${from[0]} ${from[1]}C${middle} ${from[1]} ${middle} ${to[1]} ${to[0]} ${to[1]}`;
  g.append(svg("path", {class: dead ? "link void" : "link", d}));
  if (rate > 0 && !dead) g.append(svg("path", {class: "flow", "stroke-width": thickness(rate).toFixed(1), d}));
}

function box(g, x, y, w, h, kind, title, detail, right) {
  const room = w - 24 - (right ? wide(right, SMALL) + 8 : 0);
  g.append(svg("rect", {x, y, width: w, height: h, rx: 8, class: `box ${kind}`}));
  g.append(text(cut(title, room, STRONG), x + 12, y + (detail ? 20 : h / 2 + 4.5), {class: "strong"}));
  if (right) g.append(text(right, x + w - 12, y + 20, {class: "small", "text-anchor": "end"}));
  if (detail) g.append(text(cut(detail, w - 24, SMALL), x + 12, y + 37, {class: "small"}));
}

function backend(g, b, x, y, w) {
  const kind = kindOf(b.state), rate = b.packets_per_s > 0 ? `${short(b.packets_per_s)}/s` : kind === "ok" ? "" : b.state;
  const pill = svg("g", {}, svg("title", {}, `${b.name}: ${b.state}`));
  pill.append(svg("rect", {x, y, width: w, height: ROW - 8, rx: 13, class: `box ${kind === "bad" || kind === "warn" ? kind : ""}`}),
    mark(kind, x + 15, y + (ROW - 8) / 2, 4.6),
    text(cut(b.name, w - 39 - (rate ? wide(rate, SMALL) + 8 : 0), PLAIN), x + 27, y + 17.5));
  pill.append(text(rate, x + w - 12, y + 17.5, {class: "small", "text-anchor": "end"}));
  g.append(pill);
}

/** Many are dots, in rows, or a bar when even these are too many to be told apart. */
function dots(g, s, rows, x, y, w) {
  const each = 15, across = Math.max(1, Math.floor(w / each));
  if (!rows.length || rows.length < s.backends) {
    const good = s.backends ? (s.usable / s.backends) * w : 0;
    g.append(svg("rect", {x, y: y + 6, width: w, height: 10, rx: 5, class: "mark-bad", opacity: s.usable < s.backends ? 1 : 0.15}));
    if (good) g.append(svg("rect", {x, y: y + 6, width: good.toFixed(1), height: 10, rx: 5, class: "mark-ok"}));
    g.append(text(`${s.usable} of ${s.backends} usable`, x, y + 34, {class: "small"}));
    return 40;
  }
  rows.forEach((b, i) => {
    const dot = svg("g", {}, svg("title", {}, `${b.name}: ${b.state}`));
    dot.append(mark(kindOf(b.state), x + 6 + (i % across) * each, y + 8 + Math.floor(i / across) * each, 5));
    g.append(dot);
  });
  return Math.ceil(rows.length / across) * each + 4;
}

function height(s, rows, w) {
  if (s.backends > BACKENDS || rows.length > BACKENDS)
    return rows.length < s.backends ? 50 : Math.max(50, Math.ceil(rows.length / Math.floor(w / 15)) * 15 + 4);
  return Math.max(50, rows.length * ROW - 8);
}

const serviceKind = (s) => (s.backends && !s.usable ? "bad" : s.usable < s.backends ? "warn" : "");

/** Where there is no room for all: those with trouble, then those with most packets, in the order that they have. */
function chosen(services) {
  const urgency = (s) => (serviceKind(s) === "bad" ? 2e15 : serviceKind(s) === "warn" ? 1e15 : s.packets_per_s);
  if (services.length <= SERVICES) return services;
  const first = new Set([...services].sort((a, b) => urgency(b) - urgency(a)).slice(0, SERVICES));
  return services.filter((s) => first.has(s));
}

/** @data: {host, detail, rate, services, total: of services, backends: (name) => rows} */
export function map(data, width) {
  const narrow = width < 620, g = svg("g"), shown = chosen(data.services);
  const hidden = data.total - shown.length;
  let y = narrow ? 118 : 6;
  const sx = narrow ? 22 : Math.round(width * 0.37), sw = narrow ? width - 24 : Math.min(250, Math.round(width * 0.25));
  const bx = narrow ? 56 : Math.round(width * 0.72), bw = width - bx - 2;
  const hx = narrow ? 2 : 130, hw = narrow ? width - 4 : Math.round(width * 0.3) - 110;
  const places = [];
  for (const s of shown) {
    const rows = data.backends(s.name), h = height(s, rows, bw);
    places.push({s, rows, y, h, middle: narrow ? y + 25 : y + h / 2});
    y += narrow ? 50 + (s.backends ? h + 12 : 0) + GAP : h + GAP;
  }
  const end = Math.max(y - GAP, narrow ? 110 : 60), middle = narrow ? 0 : (end + 6) / 2;
  const host = narrow ? [hx + 10, 98] : [hx + hw, middle];
  if (narrow) link(g, [width / 2, 30], [width / 2, 50], data.rate, false);
  else link(g, [92, middle], [hx, middle], data.rate, false);
  for (const p of places) {
    link(g, host, [sx, p.middle, narrow], p.s.packets_per_s, p.s.backends && !p.s.usable && !p.s.failing_open);
    place(g, p, {narrow, sx, sw, bx, bw});
  }
  const cx = narrow ? width / 2 - 46 : 2, cy = narrow ? 2 : middle - 15;
  g.append(svg("rect", {x: cx, y: cy, width: 92, height: 30, rx: 15, class: "box"}),
    text("clients", cx + 46, cy + 19.5, {"text-anchor": "middle"}));
  box(g, hx, narrow ? 48 : middle - 25, hw, 50, "host", data.host, data.detail);
  if (hidden > 0) g.append(text(`and ${hidden} more services`, sx, end + 22, {class: "small"}));
  const total = end + (hidden > 0 ? 32 : 6);
  return svg("svg", {viewBox: `0 0 ${width} ${Math.ceil(total)}`, role: "img",
    "aria-label": `Clients, this host, ${data.total} services and their backends`}, g);
}

function place(g, p, at) {
  const {s, rows} = p, many = s.backends > BACKENDS || rows.length > BACKENDS;
  const top = at.narrow ? p.y + 62 : p.y + (p.h - height(s, rows, at.bw)) / 2;
  const from = at.narrow ? [at.sx + 12, p.y + 50] : [at.sx + at.sw, p.middle];
  if (many) {
    if (!at.narrow) link(g, from, [at.bx - 10, p.middle], s.packets_per_s, !s.usable);
    dots(g, s, rows, at.bx, at.narrow ? top : p.y + (p.h - (rows.length < s.backends ? 40 : height(s, rows, at.bw))) / 2, at.bw);
  } else {
    rows.forEach((b, i) => {
      const y = top + i * ROW + (at.narrow ? 0 : (p.h - Math.max(0, rows.length * ROW - 8)) / 2);
      link(g, from, [at.bx, y + (ROW - 8) / 2, at.narrow], b.packets_per_s, kindOf(b.state) === "bad");
      backend(g, b, at.bx, y, at.bw);
    });
  }
  box(g, at.sx, at.narrow ? p.y : p.middle - 25, at.sw, 50, serviceKind(s), s.name,
    `${s.usable}/${s.backends} usable · ${s.forward} · ${s.scheduler}`, s.packets_per_s ? `${short(s.packets_per_s)}/s` : "");
}
