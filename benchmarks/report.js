"use strict";
// The list of items. Everything that a model or a task file said goes through textContent: it is never read as HTML.
(() => {
  const PAGE = 50;
  const byId = (id) => document.getElementById(id);
  const index = JSON.parse(byId("index").textContent);
  const names = index.systems;

  const make = (tag, kind, text) => {
    const made = document.createElement(tag);
    if (kind) made.className = kind;
    if (text !== undefined && text !== null) made.textContent = text;
    return made;
  };

  // Blocks of items: packed, and unpacked when first needed.
  const blocks = new Map();
  const unpack = (number) => {
    if (!blocks.has(number)) blocks.set(number, (async () => {
      const packed = Uint8Array.from(atob(byId(`block-${number}`).textContent), (c) => c.charCodeAt(0));
      const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
      const block = JSON.parse(await new Response(stream).text());
      for (const item of block.items) item.text = (at) => (at === null ? null : block.texts[at]);
      return block.items;
    })());
    return blocks.get(number);
  };
  const detail = async (at) => (await unpack(Math.floor(at / index.block)))[at % index.block];

  // Search: the index first, then all texts of a block at once, in lower case, kept.
  const haystacks = new Map();
  const haystack = async (number) => {
    if (!haystacks.has(number)) {
      const items = await unpack(number);
      haystacks.set(number, items.map((item) => {
        const used = new Set();
        const add = (at) => { if (at !== null) used.add(at); };
        add(item.question); add(item.gold); item.choices.forEach(add);
        for (const each of item.tries) {
          [each.answer, each.read, each.why, each.error].forEach(add);
          for (const call of each.calls || []) { add(call.answer); add(call.error); call.sent.forEach((said) => add(said[1])); }
        }
        return [...used].map(item.text).join("\n").toLowerCase();
      }));
    }
    return haystacks.get(number);
  };

  const RIGHT = 1 - 1e-9;
  const state = (score, failed) =>
    score === null ? "absent" : failed ? "failed" : score >= RIGHT ? "right" : score > 0 ? "part" : "wrong";
  const WORDS = { absent: "not run", failed: "failed", right: "right", part: "partly right", wrong: "wrong" };

  const controls = ["which", "right", "wrong"].map(byId);
  for (const select of controls.slice(1)) {
    names.forEach((name, at) => { const option = make("option", "", name); option.value = at; select.append(option); });
  }

  const fits = (at) => {
    const scores = index.scores.map((column) => column[at]);
    const known = scores.filter((score) => score !== null);
    const [which, right, wrong] = controls.map((each) => each.value);
    if (which === "differ" && !(known.length > 1 && Math.max(...known) - Math.min(...known) > 1e-9)) return false;
    if (which === "none" && !(known.length && known.every((score) => score < RIGHT))) return false;
    if (which === "every" && !(known.length && known.every((score) => score >= RIGHT))) return false;
    if (which === "failed" && !index.failed.some((column) => column[at])) return false;
    if (right !== "" && !(scores[+right] !== null && scores[+right] >= RIGHT)) return false;
    return wrong === "" || (scores[+wrong] !== null && scores[+wrong] < RIGHT);
  };

  let found = [];
  let page = 0;
  let asked = 0;

  const search = async () => {
    const mine = ++asked;
    const wanted = byId("search").value.trim().toLowerCase();
    const fitting = [];
    for (let at = 0; at < index.ids.length; at++) if (fits(at)) fitting.push(at);
    if (wanted) {
      const hits = [];
      let last = -1, texts = [];
      for (const at of fitting) {
        const number = Math.floor(at / index.block);
        if (number !== last) {
          byId("count").textContent = `Searching: ${at.toLocaleString("en")} of ${index.ids.length.toLocaleString("en")} items`;
          texts = await haystack(number);
          last = number;
          if (mine !== asked) return;
        }
        if (index.ids[at].toLowerCase().includes(wanted) || texts[at % index.block].includes(wanted)) hits.push(at);
      }
      found = hits;
    } else found = fitting;
    page = 0;
    show();
  };

  const show = () => {
    const many = found.length, all = index.ids.length;
    const first = page * PAGE, end = Math.min(many, first + PAGE);
    const say = (number) => number.toLocaleString("en");
    byId("count").textContent = many === all ? `${say(all)} items` : `${say(many)} of ${say(all)} items`;
    byId("list").replaceChildren(...found.slice(first, end).map(row));
    byId("pages").hidden = many <= PAGE;
    byId("page").textContent = many ? `${say(first + 1)}–${say(end)} of ${say(many)}` : "";
    byId("before").disabled = page === 0;
    byId("after").disabled = end >= many;
  };

  // An id that is too long is cut before its end, in which ids differ.
  const END = 8;
  const named = (id) => {
    const letters = Array.from(id);
    const whole = make("span", "id");
    whole.title = id;
    if (letters.length > END) whole.append(make("span", "start", letters.slice(0, -END).join("")));
    whole.append(make("span", "end", letters.slice(-END).join("")));
    return whole;
  };

  const row = (at) => {
    const item = make("details", "item");
    const head = make("summary");
    const dots = make("span", "dots");
    dots.setAttribute("role", "img");
    const told = [];
    names.forEach((name, which) => {
      const kind = state(index.scores[which][at], index.failed[which][at]);
      const dot = make("span", `dot ${kind}`);
      dot.title = `${name}: ${WORDS[kind]}`;
      told.push(dot.title);
      dots.append(dot);
    });
    dots.setAttribute("aria-label", told.join(", "));
    head.append(named(index.ids[at]), make("span", "ask", index.questions[at]), dots);
    item.append(head);
    item.addEventListener("toggle", async () => {
      if (!item.open || item.children.length > 1) return;
      const body = make("div", "body", "…");
      item.append(body);
      try {
        const whole = await detail(at);
        body.replaceChildren(...inside(whole));
      } catch (problem) {
        body.textContent = `This browser cannot unpack the item: ${problem.message}`;
      }
    });
    return item;
  };

  const inside = (item) => {
    const facts = make("dl");
    const fact = (name, text) => { if (text !== null && text !== "") facts.append(make("dt", "", name), make("dd", "", text)); };
    fact("Question", item.text(item.question));
    item.choices.forEach((choice, at) => fact(at ? "" : "Choices", item.text(choice)));
    fact("Right answer", item.text(item.gold) ?? "not known; judged");
    fact("Cluster", item.cluster);
    fact("Difficulty", item.difficulty);
    return [facts, ...item.tries.map((each) => attempt(item, each))];
  };

  const attempt = (item, each) => {
    const failed = each.status === "failed";
    const box = make("section", `try ${state(each.score, failed)}`);
    const head = make("p", "meta");
    head.append(make("b", "", names[each.system]));
    const parts = [failed ? "failed, scores 0" : `${WORDS[state(each.score, false)]} (${+each.score.toFixed(4)})`];
    if (each.status !== "completed" && !failed) parts.push(each.status);
    if (index.repeats > 1) parts.push(`repeat ${each.repeat + 1}`);
    parts.push(...each.spent);
    head.append(` ${parts.join(" · ")}`);
    box.append(head);
    const answer = item.text(each.answer), read = item.text(each.read), error = item.text(each.error);
    if (answer !== null) box.append(make("pre", "", answer));
    else if (!failed) box.append(make("p", "small", "No answer."));
    if (error !== null) box.append(make("pre", "bad", error));
    const why = item.text(each.why);
    if (read !== null || why) box.append(make("p", "meta", [read === null ? "" : `Read as: ${read}`, why].filter(Boolean).join(" · ")));
    if (each.votes.length) box.append(votes(item, each.votes));
    if (each.calls) {
      const calls = make("details");
      calls.append(make("summary", "", `${each.calls.length} ${each.calls.length === 1 ? "call" : "calls"}: prompts and answers`));
      calls.addEventListener("toggle", () => {
        if (calls.open && calls.children.length === 1) calls.append(...each.calls.map((call) => exchange(item, call)));
      });
      box.append(calls);
    } else if (each.without) box.append(make("p", "small", each.without));
    return box;
  };

  const votes = (item, rounds) => {
    const table = make("table", "votes");
    const head = make("tr");
    head.append(make("th", "", "round"), ...rounds[0].choices.map((each) => make("th", "", each[0])), make("th", "", "vote is worth"));
    table.append(head);
    for (const round of rounds) {
      const line = make("tr");
      const by = new Map(round.choices.map(([who, what, worth]) => [who, [what, worth]]));
      line.append(make("td", "", round.round === 0 ? "draft" : round.round));
      for (const [who] of rounds[0].choices) {
        const [what, worth] = by.get(who) ?? [undefined, 0];
        const said = what === undefined ? "—" : what === null ? "abstains" : item.text(what);
        line.append(make("td", "", worth >= RIGHT ? `${said} ✓` : said));
      }
      line.append(make("td", "", +round.decided.toFixed(3)));
      table.append(line);
    }
    return table;
  };

  const exchange = (item, call) => {
    const box = make("details");
    const told = [call.by, call.stage, call.name, ...call.spent].filter(Boolean).join(" · ");
    box.append(make("summary", "", told));
    for (const [speaker, text] of call.sent) box.append(make("p", "speaker", speaker), make("pre", "sent", item.text(text)));
    box.append(make("p", "speaker", "answer"));
    const answer = item.text(call.answer), error = item.text(call.error);
    box.append(make("pre", "sent", answer ?? (error === null ? `no answer (${call.status})` : "")));
    if (error !== null) box.append(make("pre", "bad", error));
    return box;
  };

  // Theme: as the system has it, until somebody says otherwise.
  const theme = byId("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const current = () => document.documentElement.dataset.theme || (dark.matches ? "dark" : "light");
  const name = () => { theme.textContent = current() === "dark" ? "Light" : "Dark"; };
  theme.addEventListener("click", () => { document.documentElement.dataset.theme = current() === "dark" ? "light" : "dark"; name(); });
  dark.addEventListener("change", name);
  theme.setAttribute("aria-label", "Change between light and dark");
  name();

  let waiting;
  byId("search").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(search, 150); });
  for (const each of controls) each.addEventListener("change", search);
  const turn = (by) => { page += by; show(); byId("items").scrollIntoView(); };
  byId("before").addEventListener("click", () => turn(-1));
  byId("after").addEventListener("click", () => turn(1));
  theme.hidden = byId("controls").hidden = byId("legend").hidden = false;
  byId("legend").textContent = `One dot a system, in this order: ${names.join(", ")}. Filled: right; half: partly; empty: wrong; struck through: failed.`;
  search();
})();
