"""The fixed parts of a report page: its look, and what it does when it is used."""

# no address but the page itself, the sound in it and sound that lies beside it
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "media-src data: 'self' file:; img-src data:"
)

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fff; --ink: #1c1c1f; --faint: #5b5b63; --line: #e2e2e6; --card: #f7f7f9;
  --band: rgb(120 90 190 / .2); --head: #c0182b; --lift: none;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #16161a; --ink: #ececf0; --faint: #a3a3ad; --line: #34343b; --card: #1f1f25;
    --band: rgb(170 150 240 / .26); --head: #ff6b78; --lift: brightness(1.25) saturate(.95);
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 78rem; background: var(--paper);
  color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .2rem; }
h2 { font-size: 1.1rem; margin: 0; overflow-wrap: anywhere; }
p, .faint { color: var(--faint); margin: .2rem 0 .6rem; }
.recording { border: 1px solid var(--line); border-radius: 10px; padding: 1rem; margin: 1.2rem 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .6rem 0; }
th, td { padding: .22rem .7rem; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
thead th { color: var(--faint); font-weight: 600; }
tr.total td, tr.total th { font-weight: 700; }
audio { width: 100%; height: 36px; margin: .3rem 0; }
.bar { display: flex; gap: .4rem; align-items: center; justify-content: flex-end; }
button { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line);
  border-radius: 6px; min-width: 2.1rem; padding: .1rem .5rem; cursor: pointer; }
.timeline { display: grid; grid-template-columns: minmax(6rem, max-content) 1fr; }
.names { padding-right: .7rem; }
.names div { height: 26px; line-height: 26px; white-space: nowrap; font-size: .85rem;
  max-width: 16rem; overflow: hidden; text-overflow: ellipsis; }
.names .panel { color: var(--faint); font-size: .78rem; }
.dot { display: inline-block; width: .65rem; height: .65rem; border-radius: 50%;
  margin-right: .4rem; filter: var(--lift); }
.scroller { overflow-x: auto; }
.track { position: relative; min-width: 100%; padding-bottom: 1.5rem; }
svg { display: block; width: 100%; }
svg .turns, svg .sure { filter: var(--lift); }
svg .turn { vector-effect: non-scaling-stroke; stroke-width: 1px; cursor: pointer; }
svg .turn:hover, svg .turn.picked { stroke: var(--ink); stroke-width: 2px; }
svg .sure { fill-opacity: .28; pointer-events: none; }
svg .band { fill: var(--band); }
svg .tick { stroke: var(--line); vector-effect: non-scaling-stroke; }
.when { position: absolute; bottom: 0; transform: translateX(-50%); color: var(--faint);
  font-size: .75rem; font-variant-numeric: tabular-nums; }
.when:first-of-type { transform: none; }
.when.last { transform: translateX(-100%); }
.head { position: absolute; top: 0; bottom: 1.3rem; width: 2px; margin-left: -1px;
  background: var(--head); pointer-events: none; left: 0; display: none; }
.said { min-height: 1.5em; font-variant-numeric: tabular-nums; }
:focus-visible { outline: 2px solid #4a90e2; outline-offset: 2px; }
details > div { max-height: 22rem; overflow: auto; }
summary { cursor: pointer; }
@media print { audio, .bar, details { display: none; } }
"""

SCRIPT = """
"use strict";
const clock = s => {
  const t = Math.round(s * 10), h = Math.floor(t / 36000), m = Math.floor(t / 600) % 60;
  const rest = ((t % 600) / 10).toFixed(1).padStart(4, "0");
  return h ? `${h}:${String(m).padStart(2, "0")}:${rest}` : `${m}:${rest}`;
};
for (const box of document.querySelectorAll(".recording")) {
  const end = Number(box.dataset.end), svg = box.querySelector("svg");
  const track = box.querySelector(".track"), scroller = box.querySelector(".scroller");
  const head = box.querySelector(".head"), said = box.querySelector(".said");
  const sound = box.querySelector("audio");
  const start = turn => turn.x.baseVal.value, length = turn => turn.width.baseVal.value;
  const turns = [...svg.querySelectorAll(".turn")].sort((a, b) => start(a) - start(b));
  let zoom = 1, picked = null;

  const tell = turn => {
    const lane = turn.parentNode.dataset, from = start(turn), to = from + length(turn);
    const sure = turn.dataset.sure ? `, probability ${turn.dataset.sure}` : "";
    said.textContent = `${lane.name} (${lane.panel}): ${clock(from)} to ${clock(to)}, ` +
      `${length(turn).toFixed(1)} s${sure}`;
  };
  const show = at => {
    head.style.display = "block";
    head.style.left = `${100 * Math.min(1, at / end)}%`;
  };
  const follow = () => {
    const x = head.offsetLeft, left = scroller.scrollLeft, wide = scroller.clientWidth;
    if (x < left || x > left + wide) scroller.scrollLeft = x - wide / 8;
  };
  const go = (at, play) => {
    show(at);
    if (!sound) return;
    sound.currentTime = at;
    if (play) sound.play().catch(() => {});
  };
  const pick = (turn, play) => {
    if (picked) picked.classList.remove("picked");
    (picked = turn).classList.add("picked");
    tell(turn);
    go(start(turn), play);
    follow();
  };
  svg.addEventListener("mouseover", event => {
    if (event.target.classList.contains("turn")) tell(event.target);
  });
  svg.addEventListener("click", event => {
    if (event.target.classList.contains("turn")) return pick(event.target, true);
    const frame = svg.getBoundingClientRect();
    go(end * (event.clientX - frame.left) / frame.width, false);
  });
  scroller.addEventListener("keydown", event => {
    const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
    if (step && turns.length) {
      const place = turns.indexOf(picked) + step;
      pick(turns[Math.max(0, Math.min(turns.length - 1, place))], false);
    } else if (event.key === " " && sound) {
      sound.paused ? sound.play().catch(() => {}) : sound.pause();
    } else return;
    event.preventDefault();
  });
  for (const button of box.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => {
      const middle = (scroller.scrollLeft + scroller.clientWidth / 2) / track.offsetWidth;
      zoom = Math.max(1, Math.min(256, zoom * Number(button.dataset.zoom)));
      track.style.width = `${100 * zoom}%`;
      scroller.scrollLeft = middle * track.offsetWidth - scroller.clientWidth / 2;
    });
  }
  for (const row of box.querySelectorAll("tr[data-at]")) {
    row.querySelector("button").addEventListener("click", () => go(Number(row.dataset.at), true));
  }
  if (sound) {
    const move = () => {
      show(sound.currentTime);
      follow();
      if (!sound.paused) requestAnimationFrame(move);
    };
    sound.addEventListener("play", move);
    sound.addEventListener("seeked", () => show(sound.currentTime));
    sound.addEventListener("error", () => {
      said.textContent = "the sound is not where it was, or cannot be played here";
    });
  }
}
"""
