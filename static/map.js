// Zoomed out the map shows zones, nearer transformers, then single consumers; it asks only for the box that it shows.
(() => {
  const element = document.getElementById("map");
  if (!element || !window.L) return;
  const { layers: address, consumer: consumerAddress, balance: balanceAddress } = element.dataset;
  const words = JSON.parse(document.getElementById("map-words").textContent);
  const form = document.getElementById("map-filter");
  const list = document.getElementById("map-list");
  const title = document.getElementById("side-title");
  const says = document.getElementById("map-says");
  const body = element.closest(".map-body");
  const TRANSFORMERS_FROM = 14, CONSUMERS_FROM = 15.5;
  const WIDEST_FOR_TRANSFORMERS = 3; // degrees, as the server allows
  const HOTTEST_LISTED = 10;

  const map = ntl.newMap(element, { zoomControl: true, maxZoom: 19 }).setView([0, 0], 2);
  const ground = L.layerGroup().addTo(map);
  const shown = L.layerGroup().addTo(map);
  let asking = null, zones = null, feeders = null, hubs = [], features = [];

  const day = (iso) => {
    const date = new Date(`${iso}T00:00:00Z`);
    return `${date.getUTCDate()} ${date.toLocaleDateString(document.documentElement.lang, { month: "short", timeZone: "UTC" })} ${date.getUTCFullYear()}`;
  };
  const filter = () => new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
  async function ask(layer, withBox) {
    const query = filter();
    query.set("layer", layer);
    if (withBox) {
      const box = map.getBounds().pad(0.05);
      query.set("box", [Math.max(-180, box.getWest()), Math.max(-90, box.getSouth()), Math.min(180, box.getEast()), Math.min(90, box.getNorth())].map((degree) => degree.toFixed(6)).join(","));
    }
    const answer = await fetch(`${address}?${query}`, { signal: asking.signal });
    const json = await answer.json();
    if (!answer.ok) throw new Error(json.error);
    return json;
  }
  // Where no zone is drawn there is nothing to zoom out to.
  const layerOf = (zoom) => (!zones.features.length ? (zoom >= 12 ? "consumers" : "transformers") : zoom >= CONSUMERS_FROM ? "consumers" : zoom >= TRANSFORMERS_FROM ? "transformers" : "zones");

  async function refresh() {
    if (asking) asking.abort();
    asking = new AbortController();
    const layer = layerOf(map.getZoom());
    try {
      if (layer === "zones") {
        const asked = [ask("zones", false), fitsTransformers() ? ask("transformers", true) : { features: [] }];
        [zones, hubs] = await Promise.all(asked);
        [features, hubs] = [zones.features, hubs.features];
      } else if (layer === "transformers") features = (await ask(layer, true)).features;
      else [features, hubs] = (await Promise.all([ask("consumers", true), ask("transformers", true)])).map((answer) => answer.features);
    } catch (error) {
      if (error.name !== "AbortError") says.textContent = error.message || words.failed;
      return;
    }
    draw(layer);
    tell(layer);
  }

  function fitsTransformers() {
    const box = map.getBounds().pad(0.05);
    return box.getEast() - box.getWest() < WIDEST_FOR_TRANSFORMERS && box.getNorth() - box.getSouth() < WIDEST_FOR_TRANSFORMERS;
  }
  // The part of the consumers that is shown, of a zone or a transformer; the steps are those of the legend.
  const heat = ({ fitting, consumers }) => (consumers ? fitting / consumers : 0);
  const step = (properties) => 1 + [0.05, 0.1, 0.15].filter((from) => heat(properties) >= from).length;

  function drawTransformers(numbered) {
    // The hottest last, so that it lies on top.
    for (const one of [...(numbered ? features : hubs)].sort((a, b) => heat(a.properties) - heat(b.properties))) {
      const { code, fitting, consumers } = one.properties;
      if (!numbered && !fitting) continue;
      const at = ntl.latlng(one.geometry);
      const radius = fitting ? (numbered ? 8 : 3) + 2.4 * Math.sqrt(fitting) : 3;
      const hot = step(one.properties);
      L.circleMarker(at, { radius, weight: 1, color: ntl.colour(fitting ? "panel" : "dim"), fillColor: fitting ? ntl.colour(`heat-${hot}`) : ntl.colour("panel"), fillOpacity: 1 })
        .bindTooltip(ntl.textNode("span", `${code}: ${fitting} ${words.of} ${consumers}`)).on("click", () => map.setView(at, CONSUMERS_FROM + 0.5)).addTo(shown);
      if (numbered && fitting) L.tooltip({ permanent: true, direction: "center", className: `disc-number on-heat-${hot}`, interactive: false }).setLatLng(at).setContent(ntl.textNode("span", fitting)).addTo(shown);
    }
  }
  function draw(layer) {
    ground.clearLayers();
    shown.clearLayers();
    body.dataset.layer = layer;
    const hottest = Math.max(0.01, ...zones.features.map((zone) => heat(zone.properties)));
    L.geoJSON(zones, {
      interactive: layer === "zones",
      style: (zone) => ({ color: ntl.colour("dim", 0.8), weight: 1, fillColor: ntl.colour("high"), fillOpacity: layer === "zones" ? 0.03 + 0.22 * heat(zone.properties) / hottest : 0.02 }),
      onEachFeature: (zone, drawn) => drawn.on("click", () => map.fitBounds(drawn.getBounds())),
    }).addTo(ground);
    if (feeders) L.geoJSON(feeders, { interactive: false, style: { color: ntl.colour("accent", 0.45), weight: layer === "zones" ? 1 : 2 } }).addTo(ground);
    if (layer === "zones") for (const zone of features) {
      const label = document.createElement("div");
      label.append(ntl.textNode("b", zone.properties.name), ntl.textNode("span", `${zone.properties.fitting} ${words.of} ${zone.properties.consumers}`));
      L.tooltip({ permanent: true, direction: "center", className: "zone-name", interactive: false })
        .setLatLng(L.geoJSON(zone).getBounds().getCenter()).setContent(label).addTo(shown);
    }
    if (layer !== "consumers") drawTransformers(layer === "transformers");
    if (layer === "consumers") for (const hub of hubs) {
      const marker = ntl.transformerMarker(ntl.latlng(hub.geometry)).addTo(shown);
      marker.bindTooltip(ntl.textNode("span", `${hub.properties.code}${balanceAddress ? `: ${words.balance}` : ""}`));
      if (balanceAddress) marker.on("click", () => { location.href = balanceAddress.replace("/0/", `/${hub.properties.pk}/`); });
    }
    // Worst last, so that it lies on top.
    if (layer === "consumers") [...features].sort((a, b) => (a.properties.score || 0) - (b.properties.score || 0)).forEach((one) => {
      one.marker = ntl.levelMarker(ntl.latlng(one.geometry), one.properties.level).bindPopup(() => card(one.properties)).addTo(shown);
    });
  }

  const linkTo = (number) => consumerAddress.replace("NUMBER", encodeURIComponent(number).replaceAll("%2F", "/"));
  function card({ number, name, address: street, level, score, since }) {
    const box = document.createElement("div");
    const facts = [words[level], score !== null && `${words.score} ${score.toFixed(2)}`, since && `${words.since} ${day(since)}`].filter(Boolean).join(" · ");
    box.append(ntl.textNode("strong", `${number} ${name}`), ntl.textNode("p", street, { class: "dim" }), ntl.textNode("p", facts), ntl.textNode("a", words.open, { href: linkTo(number), class: "btn btn-primary" }));
    return box;
  }

  function row(one, layer) {
    const item = document.createElement("li");
    const { number, name, code, level, score, fitting, consumers } = one.properties;
    let target;
    if (layer === "consumers") {
      target = ntl.textNode("a", "", { href: linkTo(number) });
      target.append(ntl.textNode("span", `${number} ${name}`, { class: "cut" }), ntl.textNode("span", `${words[level]}${score === null ? "" : ` ${score.toFixed(2)}`}`, { class: "num" }));
      target.addEventListener("focus", () => one.marker.openPopup());
      target.addEventListener("mouseenter", () => one.marker.openPopup());
    } else {
      target = ntl.textNode("button", "", { type: "button" });
      target.append(ntl.textNode("span", name || code), ntl.textNode("span", `${fitting} ${words.of} ${consumers}`, { class: "num dim" }));
      target.addEventListener("click", () => (layer === "zones" ? map.fitBounds(L.geoJSON(one).getBounds()) : map.setView(ntl.latlng(one.geometry), CONSUMERS_FROM + 0.5)));
    }
    item.append(target);
    return item;
  }

  // The list beside the map says the same as the map, for the keyboard and for readers of screens.
  function tell(layer) {
    title.textContent = words[layer];
    const score = ({ properties }) => properties.score ?? -1;
    const sorted = [...features].sort((a, b) => (layer === "consumers" ? score(b) - score(a) : b.properties.fitting - a.properties.fitting));
    const rows = sorted.slice(0, 200).map((one) => row(one, layer));
    if (layer === "zones") {
      const hottest = hubs.filter((hub) => hub.properties.fitting).sort((a, b) => heat(b.properties) - heat(a.properties)).slice(0, HOTTEST_LISTED);
      if (hottest.length) rows.push(ntl.textNode("li", words.hottest, { class: "list-title" }), ...hottest.map((hub) => row(hub, "transformers")));
    }
    list.replaceChildren(...rows);
    if (!features.length) list.replaceChildren(ntl.textNode("li", words.none, { class: "empty" }));
    const count = layer === "consumers" ? features.length : features.reduce((sum, one) => sum + one.properties.fitting, 0);
    says.textContent = `${count} ${words.shown}${features.length >= Number(element.dataset.most) ? `, ${words.most}` : ""}`;
  }

  async function start() {
    asking = new AbortController();
    try {
      [zones, feeders] = await Promise.all([ask("zones", false), ask("feeders", false)]);
    } catch {
      says.textContent = words.failed;
      return;
    }
    const at = new URLSearchParams(location.search).get("at");
    const bounds = L.geoJSON(zones).getBounds();
    if (at) map.setView(at.split(",").map(Number).reverse(), CONSUMERS_FROM + 0.5);
    else if (bounds.isValid()) map.fitBounds(bounds);
    else if (element.dataset.extent) {
      const [west, south, east, north] = element.dataset.extent.split(",").map(Number);
      map.fitBounds([[south, west], [north, east]], { maxZoom: 16 });
    }
    map.on("moveend", refresh);
    form.addEventListener("change", refresh);
    document.addEventListener("theme:changed", refresh);
    refresh();
  }
  form.addEventListener("submit", (event) => event.preventDefault());
  start();
})();
