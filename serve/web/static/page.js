/* The page: draws what the server says, and asks for what a person wants. No framework, no build step.
 *
 * Text from the server reaches the document as text alone (textContent), never as markup.
 * Sections: values, tables, questions, link, freshness, panels fed by the link, charts, panels that ask for
 * themselves, dialogs, two-step buttons, colours, sign in.
 */
"use strict";

const STALE_MS = 5000; // older figures are greyed and say their age
const ARMED_MS = 5000; // how long the second press is waited for
const DELIBERATE_MS = 500; // a second press that comes sooner is the same press
const QUIET_MS = 3000; // without a word from the stream for so long, ask whether it missed something
const DEAD_MS = 40000; // the server says at least every 15 s that it is there
const RETRY_MS = [1000, 2000, 4000, 8000, 15000];
const TOPICS = "portfolio,orders,fills,risk,cluster,equity,log";
const POINTS_MAX = 2000;
const LINES_MAX = 300;
const NOTHING = "–";

const $ = (id) => document.getElementById(id);
const latest = {}; // the last content of each topic

/* ---- values: as serve/web/figures.py writes them */

const number = (value, least, most, sign = "auto") =>
  new Intl.NumberFormat("en-US", {
    minimumFractionDigits: least, maximumFractionDigits: most, signDisplay: sign,
  }).format(value).replace("-", "−");
const signed = (value, places) => number(value, places, places, "exceptZero");
const unsigned = (value, places) => number(value, places, places, "negative");
const timeOf = (value) => new Date(value).toISOString().slice(0, 19).replace("T", " ");

const FORMS = {
  status: (value) => String(value).replaceAll("_", " ").toLowerCase(),
  words: (value) => String(value).replaceAll("_", " "),
  list: (value) => value.join(", "),
  number: (value) => (Number.isNaN(Number(value)) ? String(value) : number(value, 0, 4, "negative")),
  quantity: (value) => number(value, 0, 6, "negative"),
  price: (value) => number(value, 2, 6, "negative"),
  money: (value) => unsigned(value, 2),
  gain: (value) => signed(value, 2),
  percent: (value) => `${unsigned(100 * value, 2)} %`,
  gain_percent: (value) => `${signed(100 * value, 2)} %`,
  ratio: (value) => unsigned(value, 2),
  count: (value) => number(value, 0, 0),
  restarts: (value) => FORMS.count(value),
  milliseconds: (value) => `${signed(value, 0)} ms`,
  microseconds: (value) => `${unsigned(value, 0)} µs`,
  seconds: (value) => `${unsigned(value, 1)} s`,
  alive: (value) => (value ? "alive" : "down"),
  ready: (value) => (value ? "ready" : "not ready"),
  time: timeOf,
};

function textOf(value, form) {
  if (value === null || value === undefined || value === "") return NOTHING;
  return (FORMS[form] ?? String)(value);
}

function toneOf(value, form) {
  if (form === "gain" || form === "gain_percent") return Number(value) > 0 ? "gain" : Number(value) < 0 ? "loss" : "";
  if (form === "alive" || form === "ready") return value ? "gain" : "loss";
  if (form === "side") return value === "BUY" ? "gain" : "loss";
  return value && ["restarts", "trouble", "halt"].includes(form) ? "warn" : "";
}

function ageText(ms) {
  const s = Math.round(ms / 1000);
  return s < 120 ? `${s} s old` : s < 7200 ? `${Math.round(s / 60)} min old` : `${Math.round(s / 3600)} h old`;
}

/* ---- document: elements, tables, lists of figures */

function make(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "class") element.className = value;
    else if (name in element && name !== "role") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function drawing(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function roomBar(row) {
  const share = Math.abs(Number(row.used)) / Math.abs(Number(row.limit));
  if (row.used === null || !Number.isFinite(share)) return NOTHING;
  const percent = Math.min(100, 100 * share);
  return drawing(
    "svg",
    { class: percent >= 80 ? "room full" : "room", role: "img", "aria-label": `${percent.toFixed(0)} % used` },
    drawing("rect", { class: "all", width: "100%", height: "100%" }),
    drawing("rect", { class: "used", width: `${percent.toFixed(1)}%`, height: "100%" }),
  );
}

const linkButton = (text, data) => {
  const button = make("button", { type: "button", class: "link", textContent: text });
  Object.assign(button.dataset, data);
  return button;
};

/** Cells that hold more than text: from (value, row) to a node, or to nothing for plain text. */
const CELLS = {
  story: (value, row) => (row.client_order_id ? linkButton(value, { order: row.client_order_id }) : null),
  result: (value, row) => linkButton(value, { job: row.id }),
  room: (_, row) => roomBar(row),
};

function columnsOf(table) {
  table.columns ??= [...table.tHead.rows[0].cells].map((cell) => ({
    field: cell.dataset.field, form: cell.dataset.form, shape: cell.className.trim(),
  }));
  return table.columns;
}

function fillCell(cell, column, row) {
  const value = row[column.field];
  const look = `${column.shape} ${toneOf(value, column.form)}`.trim();
  if (cell.className !== look) cell.className = look;
  const draw = CELLS[column.form];
  if (!draw) return say(cell, textOf(value, column.form));
  const key = JSON.stringify([value, row.used, row.limit, row.client_order_id]);
  if (cell.drawn === key) return;
  cell.drawn = key;
  cell.replaceChildren(draw(value, row) ?? textOf(value, column.form));
}

/** Bring a table to the state of `rows`; rows that stay keep their elements, so that focus stays too. */
function fillTable(name, rows) {
  const table = $(`${name}-table`);
  const body = table.tBodies[0];
  const keys = table.dataset.key.split(" ");
  const known = new Map([...body.rows].map((line) => [line.dataset.id, line]));
  const columns = columnsOf(table);
  const wanted = rows.map((row) => {
    const id = keys.map((key) => row[key]).join(" ");
    const line = known.get(id) ?? make("tr", {}, ...columns.map(() => make("td")));
    line.dataset.id = id;
    known.delete(id);
    columns.forEach((column, at) => fillCell(line.cells[at], column, row));
    return line;
  });
  known.forEach((line) => line.remove());
  wanted.forEach((line, at) => {
    if (body.rows[at] !== line) body.insertBefore(line, body.rows[at] ?? null);
  });
  const note = rows.length ? "" : table.dataset.empty;
  table.closest(".scroll").hidden = !rows.length;
  if ($(`${name}-none`)) say($(`${name}-none`), note);
  return note;
}

function fillFacts(id, row) {
  for (const cell of $(id).querySelectorAll("dd")) {
    const { field, form } = cell.dataset;
    say(cell, textOf(row[field], form));
    const look = toneOf(row[field], form);
    if (cell.className !== look) cell.className = look;
  }
}

/* ---- questions to the server */

class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status; // 0: no answer came
  }
}

async function refusalOf(reply) {
  const told = await reply.json().catch(() => null);
  if (reply.status === 401 && document.body.dataset.page === "desk") signedOut();
  return new Refused(reply.status, told?.detail ?? `the server answered ${reply.status}`);
}

async function ask(path, { method = "GET", body, timeoutMs = 10000 } = {}) {
  const headers = { accept: "application/json" };
  if (method !== "GET") Object.assign(headers, { "content-type": "application/json", "x-requested-with": "neural-trader" });
  let reply;
  try {
    reply = await fetch(path, {
      method, headers, credentials: "same-origin", cache: "no-store",
      body: method === "GET" ? undefined : JSON.stringify(body ?? {}),
      signal: AbortSignal.timeout(timeoutMs),
    });
  } catch (error) {
    throw new Refused(0, error.name === "TimeoutError" ? `no answer within ${timeoutMs / 1000} s` : "the server cannot be reached");
  }
  if (!reply.ok) throw await refusalOf(reply);
  return reply.status === 204 ? null : reply.json();
}

/* ---- link: one stream of events, opened again with growing pauses */

/** heardAt: the last byte; sureAt: until when the figures on the page are known to be right. */
const link = { state: "connecting", heardAt: 0, sureAt: Date.now(), openedAt: 0, hasTold: false, tries: 0, problem: "", stop: null, timer: 0 };

function closeLink() {
  clearTimeout(link.timer);
  link.stop?.abort();
  link.stop = null;
}

function openLink() {
  closeLink();
  const stop = new AbortController();
  Object.assign(link, { stop, openedAt: Date.now(), hasTold: false });
  readStream(stop.signal)
    .then(() => ended(stop))
    .catch((error) => link.stop === stop && lost(error instanceof Refused ? error.message : "the server cannot be reached"));
}

/** The server ends a stream every few minutes: that is no trouble, unless it does so at once. */
function ended(stop) {
  if (link.stop !== stop) return;
  if (link.state === "live" && Date.now() - link.openedAt > RETRY_MS[0]) openLink();
  else lost("the server ended the stream");
}

async function readStream(signal) {
  const reply = await fetch(`/v1/stream?topics=${TOPICS}`, {
    headers: { accept: "text/event-stream" }, credentials: "same-origin", cache: "no-store", signal,
  });
  if (!reply.ok) throw await refusalOf(reply);
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let event = { name: "message", data: [] };
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    heard();
    const lines = (rest + value).split(/\r\n|\n/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (event.data.length) take(event.name, JSON.parse(event.data.join("\n")));
        event = { name: "message", data: [] };
      } else if (line.startsWith("event:")) event.name = line.slice(6).trim();
      else if (line.startsWith("data:")) event.data.push(line.slice(5).replace(/^ /, ""));
    }
  }
}

function heard() {
  link.heardAt = Date.now();
  if (link.hasTold && !link.problem) link.sureAt = link.heardAt;
}

function take(name, content) {
  link.tries = 0;
  if (name === "problem") {
    link.problem = content.detail;
    return setLink("no cluster");
  }
  Object.assign(link, { problem: "", hasTold: true, sureAt: Date.now() });
  setLink("live");
  latest[name] = content;
  pending.add(name);
  requestAnimationFrame(drawPending);
}

function lost(why) {
  closeLink();
  link.problem = why;
  const pause = RETRY_MS[Math.min(link.tries, RETRY_MS.length - 1)] * (0.8 + 0.4 * Math.random());
  link.tries += 1;
  setLink("disconnected");
  link.timer = setTimeout(openLink, pause);
}

function setLink(state) {
  const changed = link.state !== state;
  link.state = state;
  $("link").dataset.value = state;
  if (changed) beat();
}

function signedOut() {
  closeLink();
  setLink("signed out");
}

/** The stream speaks only when something changes: while it is silent, ask whether it missed anything. */
async function reassure() {
  if (link.state !== "live" || link.asking) return;
  const heardAt = link.heardAt;
  if (Date.now() - heardAt > DEAD_MS) return openLink();
  link.asking = true;
  try {
    const now = await ask("/v1/portfolio", { timeoutMs: QUIET_MS });
    const missed = JSON.stringify(now) !== JSON.stringify(latest.portfolio);
    if (link.heardAt !== heardAt || link.state !== "live") return;
    if (missed) openLink();
    else link.sureAt = Date.now();
  } catch (error) {
    if (link.heardAt === heardAt && link.state === "live" && error.status === 0) lost(error.message);
  } finally {
    link.asking = false;
  }
}

/* ---- freshness: once a second every panel says how good its figures are */

function beat() {
  if (link.state === "live" && Date.now() - link.sureAt > QUIET_MS) reassure();
  say($("link"), link.state);
  drawBanner();
  document.querySelectorAll(".panel").forEach(drawAge);
  $("pulse").toggleAttribute("data-old", Date.now() - link.sureAt > STALE_MS);
}

function drawAge(panel) {
  const own = polls.get(panel.id);
  const at = own ? own.readAt : link.sureAt;
  const age = Date.now() - at;
  const isKnown = at && panel.dataset.state !== "loading";
  panel.toggleAttribute("data-old", Boolean(isKnown && age > STALE_MS + (own?.everyMs ?? 0)));
  say(panel.querySelector("[data-age]"), isKnown && age > STALE_MS ? ageText(age) : "");
}

function drawBanner() {
  const trouble = {
    disconnected: `Disconnected, ${link.problem}: the figures stand still. Trying again.`,
    "no cluster": `The cluster does not answer: ${link.problem}`,
    "signed out": "You are signed out: load the page again to sign in.",
  }[link.state];
  const killed = isKilled() ? `The kill switch is on: ${latest.risk?.kill_switch || "nothing trades until it is reset"}.` : "";
  $("banner").dataset.state = trouble ? "error" : killed ? "killed" : "";
  say($("banner"), trouble ?? killed); // a live region: it speaks when its words change, not at every beat
}

function setPanel(id, state, note = "") {
  const panel = $(id);
  panel.dataset.state = state;
  say(panel.querySelector("[data-note]"), note);
  drawAge(panel);
}

const offer = (choice, names, textOf = String) => choice.replaceChildren(...names.map((name) => make("option", { value: name, textContent: textOf(name) })));
const shown = (id, note) => setPanel(id, note ? "empty" : "fresh", note);

/* ---- panels that the link feeds */

const pending = new Set();

function drawPending() {
  for (const name of pending) DRAW[name]?.(latest[name]);
  pending.clear();
  beat();
}

const DRAW = {
  portfolio(told) {
    drawAccounts(told.accounts);
    shown("positions", fillTable("positions", told.positions));
    shown("strategies", fillTable("strategies", told.strategies));
    const state = $("trading-state");
    say(state, told.is_killed ? "KILLED" : told.trading_state);
    state.dataset.value = told.is_killed ? "KILLED" : told.trading_state;
    drawControls(told);
  },
  orders(told) {
    shown("orders", fillTable("orders", told.orders));
    const dialog = $("story");
    if (dialog.open) openStory(dialog.dataset.order);
  },
  fills(told) {
    shown("fills", fillTable("fills", told.fills));
  },
  risk(told) {
    shown("limits", fillTable("limits", told.limits));
    fillFacts("risk-facts", told);
    fillTable("denials", Object.entries(told.denials).map(([code, count]) => ({ code, count })));
  },
  cluster(told) {
    say($("cluster-name"), told.name || "cluster");
    say($("market-clock"), textOf(told.as_of, "time"));
    say($("feed-age"), textOf(told.feed_age_s, "seconds"));
    $("feed-age").className = told.feed_age_s > STALE_MS / 1000 ? "warn" : "";
    drawNodes(told.actors);
    shown("actors", fillTable("actors", told.actors));
    fillFacts("latency-facts", told);
    fillTable("venues", told.venues);
    setPanel("latency", "fresh");
    const isTimed = told.tick_to_order_classes.some((each) => each.count);
    [$("latency-chart").hidden, $("latency-none").hidden] = [!isTimed, isTimed];
    if (isTimed) redraw("latency-chart");
  },
  equity({ curves }) {
    const choice = $("equity-account"), names = curves.map((curve) => curve.account);
    if (names.join() !== [...choice.options].map((option) => option.value).join()) offer(choice, names);
    $("equity-accounts").hidden = names.length < 2; // one account needs no choice
    showEquity();
  },
  log(told) {
    drawLog(told.lines);
  },
};

function drawAccounts(accounts) {
  const first = $("account-1");
  accounts.forEach((account, at) => {
    const id = `account-${at + 1}`;
    if (!$(id)) {
      const copy = first.cloneNode(true);
      copy.id = id;
      $("accounts").insertBefore(copy, $("accounts").querySelector("[data-age]"));
    }
    $(id).setAttribute("aria-label", `Account ${account.account}`);
    fillFacts(id, account);
  });
  setPanel("accounts", "fresh");
}

function drawNodes(actors) {
  const nodes = new Set(actors.map((each) => each.node)).size;
  const restarts = actors.reduce((sum, each) => sum + each.restarts, 0);
  const down = actors.filter((each) => !each.is_alive).length;
  say($("nodes"), `${actors.length} actors on ${nodes} ${nodes === 1 ? "node" : "nodes"}, ${counted(restarts, "restart")}, ${down || "none"} down`);
}

const LEVELS = { debug: 0, info: 1, warning: 2, error: 3, critical: 3 };

function drawLog(lines) {
  const least = Number($("log-level").value);
  const kept = lines.filter((line) => (LEVELS[line.level.toLowerCase()] ?? 1) >= least).slice(-LINES_MAX);
  const box = $("log-lines");
  const isAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 24;
  box.replaceChildren(...kept.map((line) => make(
    "p",
    { "data-level": line.level.toLowerCase() },
    make("time", { dateTime: line.at, textContent: line.at.replace("T", " ").slice(0, 19) }),
    make("b", { textContent: line.level.toLowerCase() }),
    make("i", { textContent: line.process }),
    make("span", { textContent: [line.event, line.text].filter(Boolean).join(" ") }),
  )));
  if (isAtEnd) box.scrollTop = box.scrollHeight;
  box.hidden = !kept.length;
  shown("log", kept.length ? "" : "No line of this level.");
}

/* ---- charts: drawn at most once a second, and only while they can be seen */

const charts = new Map(); // id -> {draw, drawnAt, isSeen, isDue, timer}

function chart(id, draw) {
  charts.set(id, { draw, drawnAt: 0, isSeen: false, isDue: false, timer: 0 });
  new IntersectionObserver((entries) => {
    const it = charts.get(id);
    it.isSeen = entries.at(-1).isIntersecting;
    if (it.isSeen && it.isDue) redraw(id);
  }, { rootMargin: "100px" }).observe($(id));
}

function redraw(id) {
  const it = charts.get(id);
  it.isDue = true;
  if (!window.Plotly || !it.isSeen || document.hidden || it.timer) return;
  const pause = Math.max(0, it.drawnAt + 1000 - Date.now());
  it.timer = setTimeout(() => {
    it.timer = 0;
    if (!it.isSeen || document.hidden) return;
    it.isDue = false;
    it.drawnAt = Date.now();
    const made = it.draw();
    if (made) window.Plotly.react(id, made.data, layout(made.layout), { displayModeBar: false, responsive: true });
  }, pause);
}

const redrawAll = () => charts.forEach((_, id) => redraw(id));

/** A colour of the style sheet as the browser resolved it. */
function colour(name) {
  const probe = $("main").appendChild(make("i"));
  probe.style.color = `var(--${name})`;
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

const faint = (rgb, alpha) => rgb.replace("rgb(", "rgba(").replace(")", `, ${alpha})`);

function layout(own) {
  const axis = { gridcolor: colour("line"), zeroline: false, linecolor: colour("line"), automargin: true, fixedrange: true };
  const made = {
    margin: { l: 8, r: 8, t: 8, b: 8 }, showlegend: false, hovermode: "x unified", dragmode: false,
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 11, color: colour("dim") },
    hoverlabel: { bgcolor: colour("panel"), bordercolor: colour("line"), font: { color: colour("ink") } },
    ...own,
  };
  for (const name of ["yaxis", "yaxis2"]) if (name in own) made[name] = { ...axis, ...own[name] };
  made.xaxis = { ...axis, tickangle: 0, nticks: innerWidth < 700 ? 4 : 9, ...own.xaxis };
  return made;
}

const lineOf = (name, x, y, line, more = {}) => ({ name, x, y, line, type: "scatter", mode: "lines", hovertemplate: "%{y:,.2f}", ...more });

const marksShown = () => latest.equity?.curves.find((curve) => curve.account === $("equity-account").value)?.points ?? [];

function showEquity() {
  shown("equity", marksShown().length ? "" : "No mark of the account yet.");
  redraw("equity-chart");
}

function drawEquity() {
  const points = marksShown().slice(-POINTS_MAX);
  if (!points.length) return null;
  const x = points.map((point) => point.at);
  const equity = points.map((point) => Number(point.equity));
  const depth = points.map((point) => -100 * point.drawdown);
  const last = equity.at(-1);
  $("equity-chart").setAttribute("aria-label",
    `Equity ${FORMS.money(last)}, ${signed(100 * (last / equity[0] - 1), 2)} % since ${timeOf(x[0]).slice(0, 10)}; drawdown ${unsigned(-depth.at(-1), 2)} %, at worst ${unsigned(-Math.min(...depth), 2)} %`);
  return {
    data: [
      lineOf("Equity", x, equity, { color: colour("accent"), width: 1.6 }),
      lineOf("Drawdown", x, depth, { color: colour("loss"), width: 1 }, { yaxis: "y2", fill: "tozeroy", fillcolor: faint(colour("loss"), 0.2), hovertemplate: "%{y:.2f} %" }),
    ],
    layout: {
      yaxis: { domain: [0.3, 1], tickformat: ",.0f" },
      yaxis2: { domain: [0, 0.22], ticksuffix: " %", nticks: 3 },
      xaxis: { anchor: "y2" },
    },
  };
}

const lengthOf = (us) => (us >= 1e6 ? `${us / 1e6} s` : us >= 1000 ? `${us / 1000} ms` : `${us} µs`);

function drawLatency() {
  const classes = latest.cluster?.tick_to_order_classes ?? [];
  if (!classes.length) return null;
  const names = classes.map(({ up_to_us: end }, at) => (end === null ? `over ${lengthOf(classes[at - 1].up_to_us)}` : `to ${lengthOf(end)}`));
  const counts = classes.map((each) => each.count);
  $("latency-chart").setAttribute("aria-label", `Orders by time from tick to order: ${names.map((name, at) => `${name} ${counts[at]}`).join(", ")}`);
  return {
    data: [{ x: names, y: counts, name: "Orders", type: "bar", marker: { color: colour("accent") }, hovertemplate: "%{y:,d}" }],
    layout: { xaxis: { nticks: 0, tickangle: "auto" }, yaxis: { tickformat: ",d", nticks: 4, rangemode: "tozero" } },
  };
}

const BANDS = [["0.025", "0.975", 0.12, "95 %"], ["0.1", "0.9", 0.16, "80 %"], ["0.25", "0.75", 0.22, "50 %"]];
let fan = null; // {symbol, past, forecast, ahead, realised}

function drawFan() {
  if (!fan) return null;
  const { past, forecast, ahead, realised } = fan;
  const hue = colour("accent");
  const start = past.at(-1);
  const x = [start.at, ...ahead];
  const path = (level) => [start.close, ...forecast.quantiles[level]];
  const data = BANDS.flatMap(([low, high, alpha, name]) => [
    lineOf(name, x, path(low), { width: 0 }, { hoverinfo: "skip" }),
    lineOf(name, x, path(high), { width: 0 }, { fill: "tonexty", fillcolor: faint(hue, alpha), hoverinfo: "skip" }),
  ]);
  const closes = (name, bars, line, more) => lineOf(name, bars.map((bar) => bar.at), bars.map((bar) => bar.close), line, more);
  data.push(
    lineOf("Median", x, path("0.5"), { color: hue, width: 1.4, dash: "dot" }),
    closes("Before", past, { color: colour("dim"), width: 1.4 }),
    closes("Happened", [start, ...realised], { color: colour("ink"), width: 1.8 }, { mode: "lines+markers", marker: { size: 4 } }),
  );
  return { data, layout: { yaxis: { tickformat: ",.2f" } } };
}

/* ---- panels that ask for themselves, while they can be seen */

const polls = new Map(); // panel id -> {everyMs, load, readAt, askedAt, isSeen, isAsking}

function poll(id, everyMs, load) {
  const it = { everyMs, load, readAt: 0, askedAt: 0, isSeen: false, isAsking: false };
  polls.set(id, it);
  new IntersectionObserver((entries) => {
    it.isSeen = entries.at(-1).isIntersecting;
    refreshDue();
  }, { rootMargin: "200px" }).observe($(id));
}

function refreshDue() {
  if (document.hidden || link.state === "signed out") return;
  for (const [id, it] of polls) if (it.isSeen && !it.isAsking && Date.now() - it.askedAt > it.everyMs) refresh(id);
}

async function refresh(id) {
  const it = polls.get(id);
  if (it.isAsking) return void (it.askedAt = 0); // due as soon as this is over: the form may say something else now
  Object.assign(it, { isAsking: true, askedAt: Date.now() });
  try {
    const note = await it.load();
    it.readAt = Date.now();
    shown(id, note);
  } catch (error) {
    setPanel(id, "error", error instanceof Refused ? error.message : `this panel failed: ${error.message}`);
    if (!(error instanceof Refused)) console.error(error);
  } finally {
    it.isAsking = false;
  }
}

async function loadModels() {
  const models = await ask("/v1/models");
  return fillTable("models", models.map(({ name, versions, aliases }) => ({
    name, versions: versions.length, by: aliases.by, why: aliases.why,
    champion: aliases.champion && `${name}@${aliases.champion}`,
    challenger: aliases.challenger && `${name}@${aliases.challenger}`,
  })));
}

async function loadJobs() {
  if (!$("backtest-strategy").options.length) {
    const { strategies } = await ask("/v1/strategies");
    offer($("backtest-strategy"), strategies.map(({ name }) => name), (name) => name.replaceAll("_", " "));
  }
  const told = await ask("/v1/jobs?limit=200");
  const jobs = told.jobs.filter((job) => job.kind.startsWith("backtest"));
  const note = fillTable("jobs", jobs);
  const dialog = $("result");
  if (dialog.open && !dialog.dataset.done) openResult(dialog.dataset.job);
  return note;
}

async function loadSandbox() {
  const [told, work] = await Promise.all([ask("/v1/sandbox"), ask("/v1/jobs?limit=200")]);
  fillTable("pools", told.pools);
  fillTable("submissions", work.jobs.filter((job) => /^(agent|sandbox)/.test(job.kind)));
  return "";
}

async function loadAudit() {
  return fillTable("audit", (await ask("/v1/audit?limit=50")).requests);
}

/** The symbols that there are prices of; those that are held stand first. */
async function loadSymbols() {
  const told = await ask("/v1/market/symbols");
  const held = new Set((latest.portfolio?.positions ?? []).map((position) => position.symbol));
  const names = told.symbols.map((each) => each.symbol).sort((one, other) => held.has(other) - held.has(one) || one.localeCompare(other));
  offer($("fan-symbol"), names);
}

/** What was forecast some bars ago, from what was known then, beside what happened since. */
async function loadFan() {
  if (!$("fan-symbol").options.length) await loadSymbols();
  const symbol = $("fan-symbol").value;
  if (!symbol) return "Nothing is traded whose price could be forecast.";
  const until = latest.cluster ? Date.parse(latest.cluster.as_of) : Infinity;
  const end = Number.isFinite(until) ? `&end=${timeOf(until).slice(0, 10)}` : "";
  const told = await ask(`/v1/market/${encodeURIComponent(symbol)}/bars?limit=800${end}`);
  const bars = told.bars.filter((bar) => Date.parse(bar.at) <= until);
  const back = Math.min(Number($("fan-back").value), bars.length - 1);
  const known = bars.slice(0, bars.length - back);
  const forecast = await ask("/v1/forecast", { method: "POST", body: questionOf(symbol, known) });
  const realised = bars.slice(known.length, known.length + forecast.horizon);
  const ahead = realised.map((bar) => bar.at);
  while (ahead.length < forecast.horizon) ahead.push(nextBar(ahead.at(-1) ?? known.at(-1).at, known));
  fan = { symbol, past: known.slice(-60), forecast, ahead, realised };
  tellFan();
  redraw("fan-chart");
  return "";
}

function questionOf(symbol, bars) {
  const asked = { symbol, close: bars.map((bar) => bar.close), ts: bars.map((bar) => Date.parse(bar.at) * 1e6) };
  if (bars.every((bar) => bar.volume !== null)) asked.volume = bars.map((bar) => bar.volume);
  return asked;
}

/** The close of the bar after `at`: bars lie apart as the last two do, over days on which there are any. */
function nextBar(at, bars) {
  const gap = Math.min(...bars.slice(-10).map((bar, n, some) => (n ? Date.parse(bar.at) - Date.parse(some[n - 1].at) : Infinity)));
  const days = new Set(bars.slice(-30).map((bar) => new Date(bar.at).getUTCDay()));
  let next = Date.parse(at) + gap;
  while (!days.has(new Date(next).getUTCDay())) next += gap;
  return new Date(next).toISOString();
}

function tellFan() {
  const { symbol, forecast, realised } = fan;
  const { "0.1": low, "0.9": high } = forecast.quantiles;
  const inside = realised.filter(({ close }, step) => close >= low[step] && close <= high[step]).length;
  const what = `${symbol} by ${forecast.model}@${forecast.version}, asked after the close of ${timeOf(forecast.as_of / 1e6).slice(0, 10)}: ${signed(100 * forecast.expected_return, 2)} % expected over ${forecast.horizon} bars.`;
  const since = realised.length ? ` ${inside} of ${realised.length} closes since lie in the 80 % band.` : " Nothing has happened since.";
  say($("fan-says"), what + since);
  $("fan-chart").setAttribute("aria-label", `Forecast as bands of 50, 80 and 95 %. ${what}${since}`);
}

/* ---- dialogs: the story of an order, the result of a backtest */

const show = (dialog) => dialog.open || dialog.showModal();

async function openStory(id) {
  const dialog = $("story");
  if (dialog.dataset.order !== id) $("story-steps").replaceChildren();
  dialog.dataset.order = id;
  show(dialog);
  if (!$("story-steps").children.length) say($("story-note"), "Loading…");
  try {
    const told = await ask(`/v1/orders/${encodeURIComponent(id)}`);
    if (dialog.dataset.order !== id) return;
    say($("story-note"), told.steps.length ? "" : "Nothing is journalled about it.");
    say($("story-title"), `${told.order.side} ${textOf(told.order.quantity, "quantity")} ${told.order.symbol}`);
    fillFacts("story-facts", told.order);
    $("story-steps").replaceChildren(...told.steps.map((step, at) => drawStep(step, told.steps[at - 1])));
  } catch (error) {
    say($("story-note"), error.message);
  }
}

const preciseTime = (value) => new Date(value).toISOString().slice(0, 23).replace("T", " ");
const sentence = (fact) => fact.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase().replace(/^./, (letter) => letter.toUpperCase());

function drawStep(step, before) {
  const wait = before ? Date.parse(step.at) - Date.parse(before.at) : 0;
  return make(
    "li",
    { "data-stream": step.stream.split(":")[0] },
    make("p", { class: "when" }, make("time", { dateTime: step.at, textContent: preciseTime(step.at) }), wait > 0 ? ` +${wait < 10000 ? `${wait} ms` : `${number(wait / 1000, 0, 0)} s`}` : ""),
    make("p", {}, make("b", { textContent: sentence(step.fact) }), make("i", { textContent: ` ${step.stream} #${step.sequence}` })),
    make("p", { class: "detail", textContent: step.detail }),
    make("p", { class: "cause", textContent: step.causation_id ? `caused by ${step.causation_id}` : "" }),
  );
}

const OVER = ["done", "failed", "canceled", "lost"];

async function openResult(id) {
  const dialog = $("result");
  if (dialog.dataset.job !== id) fillTable("metrics", []);
  Object.assign(dialog.dataset, { job: id, done: "" });
  show(dialog);
  say($("result-note"), "Loading…");
  try {
    const job = await ask(`/v1/jobs/${encodeURIComponent(id)}`);
    if (dialog.dataset.job !== id) return;
    if (OVER.includes(job.state)) dialog.dataset.done = job.state;
    say($("result-title"), job.command);
    const runs = job.state === "done" ? runsOf(job.result) : [];
    const note = fillTable("metrics", runs.map((run) => ({ strategy: run.strategy, ...run.metrics })));
    results = runs.filter((run) => run.equity?.length);
    $("result-chart").hidden = !results.length;
    redraw("result-chart");
    say($("result-note"), job.state === "done" ? note : [job.state, job.progress, job.detail].filter(Boolean).join(": "));
  } catch (error) {
    say($("result-note"), error.message);
  }
}

let results = []; // runs of the open backtest that tell their equity

function drawResult() {
  const hues = ["accent", "dim", "warn"];
  return results.length ? {
    data: results.slice(0, 3).map(({ strategy, equity }, at) =>
      lineOf(strategy.replaceAll("_", " "), equity.map((point) => point.at), equity.map((point) => Number(point.equity)), { color: colour(hues[at]), width: at ? 1 : 1.8 })),
    layout: { showlegend: true, legend: { orientation: "h" }, yaxis: { tickformat: ",.0f" } },
  } : null;
}

const runsOf = (result) => (Array.isArray(result) ? result : [result]).filter((run) => run?.metrics);

async function startBacktest(event) {
  event.preventDefault();
  const form = new FormData(event.target);
  const body = { strategy: form.get("strategy"), points: 200 };
  const symbols = form.get("symbols").split(/[\s,]+/).filter(Boolean);
  if (symbols.length) body.symbols = symbols;
  for (const name of ["start", "end"]) if (form.get(name)) body[name] = form.get(name);
  const told = await ask("/v1/backtests", { method: "POST", body }).then((job) => `Started: ${job.command}`, (error) => error.message);
  say($("backtest-says"), told);
  refresh("backtests");
}

/* ---- two steps: the first press says what will happen, the second does it */

/** `effect()` is said when armed, `label()` stands on the button, `act()` does it and returns what to say. */
function twoStep(button, voice, { label, confirm, effect, act, mayArm = () => true, fades = false }) {
  let armedAt = 0;
  let timer = 0;
  const tell = (text) => {
    voice.hidden = !text;
    say(voice, text);
  };
  const rest = () => {
    armedAt = 0;
    clearInterval(timer);
    delete button.dataset.armed;
    say(button, label());
  };
  const disarm = () => {
    if (armedAt) tell("");
    rest();
  };
  const count = () => {
    const left = Math.ceil((armedAt + ARMED_MS - Date.now()) / 1000);
    if (left <= 0) return disarm();
    button.dataset.armed = Date.now() - armedAt >= DELIBERATE_MS ? "ready" : "wait";
    say(button, `${confirm()} (${left})`);
  };
  button.addEventListener("click", async () => {
    if (!armedAt) {
      if (!mayArm()) return;
      armedAt = Date.now();
      timer = setInterval(count, 100);
      count();
      return tell(effect());
    }
    if (Date.now() - armedAt < DELIBERATE_MS) return;
    rest();
    button.disabled = true;
    tell("Asking…");
    try {
      tell(await act());
      if (fades) setTimeout(() => armedAt || tell(""), 8000);
    } catch (error) {
      tell(`Not done: ${error.message}`);
    } finally {
      button.disabled = false;
    }
  });
  button.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && armedAt) {
      event.preventDefault();
      disarm();
    } else if (event.repeat && ["Enter", " "].includes(event.key)) event.preventDefault();
  });
  return { disarm, relabel: () => armedAt || say(button, label()) };
}

const isKilled = () => Boolean(latest.portfolio?.is_killed);
const isPaused = () => !["ACTIVE", "UNKNOWN"].includes(latest.portfolio?.trading_state ?? "UNKNOWN");
const counted = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
const controls = {};

function drawControls(told) {
  controls.pause?.relabel();
  say($("kill"), told.is_killed ? "Reset kill switch" : "Kill switch");
  const isAdmin = document.body.dataset.admin === "true";
  $("kill").disabled = told.is_killed ? !isAdmin : document.body.dataset.mayKill !== "true";
}

function setUpPause() {
  controls.pause = twoStep($("pause"), $("armed"), {
    fades: true,
    label: () => (isPaused() ? "Resume" : "Pause"),
    confirm: () => (isPaused() ? "Confirm resume" : "Confirm pause"),
    effect: () => (isPaused()
      ? "Resume: strategies may open positions again. Press once more within 5 seconds."
      : `Pause: from now on only orders that make a position smaller leave; ${counted(openOrders().length, "working order")} stay where they are. Press once more within 5 seconds.`),
    act: async () => {
      const path = isPaused() ? "/v1/trading/resume" : "/v1/trading/pause";
      const told = await ask(path, { method: "POST", body: { reason: "asked for on the page" } });
      return `Trading is ${told.state} now.`;
    },
  });
}

const openOrders = () => (latest.orders?.orders ?? []).filter((order) => order.is_open);

function killEffect() {
  if (isKilled()) return "Orders may leave again, as far as the risk manager allows.";
  const accounts = (latest.portfolio?.accounts ?? []).map((each) => `${each.account} (${each.venue})`).join(", ");
  const positions = counted(latest.portfolio?.positions.length ?? 0, "position");
  const end = $("kill-flatten").checked ? `${positions} closed at the market` : `${positions} left open`;
  return `At ${accounts || "every account"}: ${counted(openOrders().length, "working order")} cancelled, ${end}, and nothing trades until somebody resets it.`;
}

function setUpKill() {
  const dialog = $("kill-dialog");
  const step = twoStep($("kill-go"), $("kill-armed"), {
    label: () => (isKilled() ? "Arm the reset" : "Arm the kill switch"),
    confirm: () => (isKilled() ? "Confirm reset" : "Confirm kill"),
    effect: () => `Armed. ${killEffect()} Press once more within 5 seconds.`,
    mayArm: () => $("kill-form").reportValidity(),
    act: async () => {
      const reason = $("kill-reason").value.trim();
      if (isKilled()) {
        const told = await ask("/v1/trading/reset", { method: "POST", body: { reason } });
        return `The kill switch is reset; trading is ${told.state}.`;
      }
      const body = { reason, flatten: $("kill-flatten").checked };
      const told = await ask("/v1/trading/kill", { method: "POST", body, timeoutMs: 60000 });
      return `The kill switch is on. ${told.reports.map(reportText).join(" ")}`;
    },
  });
  $("kill").addEventListener("click", () => {
    say($("kill-title"), isKilled() ? "Reset the kill switch" : "Kill switch");
    say($("kill-effect"), isKilled() ? "Reset it only when you know why it was thrown." : "It cancels every working order and lets nothing out, even when actors are dead. It stays on until it is reset.");
    $("kill-flatten-line").hidden = isKilled();
    $("kill-flatten").checked = false;
    $("kill-reason").value = "";
    $("kill-armed").textContent = "";
    step.disarm();
    dialog.showModal();
    $("kill-reason").focus();
  });
  for (const name of ["kill-flatten", "kill-reason"]) $(name).addEventListener("input", step.disarm);
  $("kill-cancel").addEventListener("click", () => dialog.close());
  $("kill-form").addEventListener("submit", (event) => { event.preventDefault(); $("kill-go").click(); });
  dialog.addEventListener("close", () => { step.disarm(); $("kill").focus(); });
}

const reportText = (report) => (report.reached
  ? `${report.account} at ${report.venue}: ${counted(report.canceled, "order")} cancelled, ${counted(report.flattened, "position")} closed.`
  : `${report.account} at ${report.venue} did NOT answer (${report.reason}): look there yourself.`);

/* ---- colours */

const THEMES = ["system", "dark", "light"];
const remembered = () => { try { return localStorage.getItem("colours"); } catch { return null; } };

function setTheme(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try { localStorage.setItem("colours", theme); } catch { /* private windows may refuse: then it lasts as long as the page */ }
}

function setUpTheme() {
  const name = () => document.documentElement.dataset.theme ?? "system";
  const tell = () => $("theme").setAttribute("aria-label", `Colours: ${name() === "system" ? "as the system has them" : name()}`);
  $("theme").addEventListener("click", () => {
    setTheme(THEMES[(THEMES.indexOf(name()) + 1) % THEMES.length]);
    tell();
    redrawAll();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
  tell();
}

/* ---- sign in and out */

function setUpLogin() {
  $("login").addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = Object.fromEntries(new FormData(event.target));
    say($("login-says"), "Asking…");
    try {
      await ask("/v1/auth/login", { method: "POST", body: form });
      location.reload();
    } catch (error) {
      say($("login-says"), error.message);
      $("login-password").select();
    }
  });
}

const signOut = () => ask("/v1/auth/logout", { method: "POST" }).finally(() => location.reload());

/* ---- beginning */

function setUpDesk() {
  setUpTheme();
  setUpPause();
  setUpKill();
  $("sign-out")?.addEventListener("click", signOut);
  chart("equity-chart", drawEquity);
  chart("latency-chart", drawLatency);
  chart("fan-chart", drawFan);
  chart("result-chart", drawResult);
  $("plotly").addEventListener("load", redrawAll);
  poll("models", 15000, loadModels);
  poll("fan", 30000, loadFan);
  poll("backtests", 3000, loadJobs);
  poll("sandbox", 5000, loadSandbox);
  if ($("audit")) poll("audit", 5000, loadAudit);
  $("fan-form").addEventListener("change", () => refresh("fan"));
  $("fan-form").addEventListener("submit", (event) => event.preventDefault());
  $("backtest-form").addEventListener("submit", startBacktest);
  $("equity-account").addEventListener("change", showEquity);
  $("log-level").addEventListener("change", () => latest.log && drawLog(latest.log.lines));
  document.addEventListener("click", (event) => {
    const { order, job } = event.target.dataset;
    if (order) openStory(order);
    if (job) openResult(job);
    if ("close" in event.target.dataset) event.target.closest("dialog").close();
  });
  addEventListener("online", () => link.state === "disconnected" && openLink());
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    drawPending();
    charts.forEach((it, id) => it.isDue && redraw(id));
  });
  setInterval(() => { beat(); refreshDue(); }, 1000);
  openLink();
}

setTheme(remembered() ?? "system"); // before anything is drawn
document.addEventListener("DOMContentLoaded", () => (document.body.dataset.page === "login" ? setUpLogin() : setUpDesk()));
