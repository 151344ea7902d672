// Zoomed out the map shows zones, nearer transformers, then single consumers; it asks only for the box that it shows.
(() => {
  const element = document.getElementById("map");
  if (!element || !window.L) return;
  const { layers: address, consumer: consumerAddress } = element.dataset;
  const words = JSON.parse(document.getElementById("map-words").textContent);
  const form = document.getElementById("map-filter");
  const list = document.getElementById("map-list");
  const title = document.getElementById("side-title");
  const says = document.getElementById("map-says");
  const TRANSFORMERS_FROM = 14, CONSUMERS_FROM = 15.5;

  const map = ntl.newMap(element, { zoomControl: true }).setView([0, 0], 2);
  const ground = L.layerGroup().addTo(map);
  const shown = L.layerGroup().addTo(map);
  let asking = null, zones = null, feeders = null, hubs = [], features = [];

  const language = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;
  const day = (iso) => new Date(`${iso}T00:00:00Z`).toLocaleDateString(language, { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
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
      if (layer === "zones") features = (zones = await ask("zones", false)).features;
      else if (layer === "transformers") features = (await ask(layer, true)).features;
      else [features, hubs] = (await Promise.all([ask("consumers", true), ask("transformers", true)])).map((answer) => answer.features);
    } catch (error) {
      if (error.name !== "AbortError") says.textContent = error.message || words.failed;
      return;
    }
    draw(layer);
    tell(layer);
  }

  // The redder, the larger the part of consumers that is high or critical.
  const heat = ({ hot, consumers }) => (consumers ? hot / consumers : 0);
  function draw(layer) {
    ground.clearLayers();
    shown.clearLayers();
    const hottest = Math.max(0.01, ...zones.features.map((zone) => heat(zone.properties)));
    L.geoJSON(zones, {
      interactive: layer === "zones",
      style: (zone) => ({ color: ntl.colour("dim", 0.8), weight: 1, fillColor: ntl.colour("high"), fillOpacity: layer === "zones" ? 0.05 + 0.4 * heat(zone.properties) / hottest : 0.02 }),
      onEachFeature: (zone, drawn) => drawn.on("click", () => map.fitBounds(drawn.getBounds())),
    }).addTo(ground);
    if (feeders) L.geoJSON(feeders, { interactive: false, style: { color: ntl.colour("accent", 0.45), weight: layer === "zones" ? 1 : 2 } }).addTo(ground);
    if (layer === "zones") for (const zone of features) {
      const label = document.createElement("div");
      label.append(ntl.textNode("b", zone.properties.fitting), zone.properties.name);
      L.tooltip({ permanent: true, direction: "center", className: "zone-name", interactive: false })
        .setLatLng(L.geoJSON(zone).getBounds().getCenter()).setContent(label).addTo(shown);
    }
    if (layer === "transformers") {
      for (const one of features) {
        const { code, fitting, consumers, hot } = one.properties;
        const at = ntl.latlng(one.geometry);
        const radius = fitting ? 6 + 2.2 * Math.sqrt(fitting) : 3;
        L.circleMarker(at, { radius, weight: 1, color: ntl.colour(fitting ? "panel" : "dim"), fillColor: fitting ? ntl.colour("high") : ntl.colour("panel"), fillOpacity: fitting ? 0.35 + 0.6 * Math.min(1, 4 * heat({ hot, consumers })) : 1 })
          .bindTooltip(ntl.textNode("span", `${code}: ${fitting} ${words.of} ${consumers}`)).on("click", () => map.setView(at, CONSUMERS_FROM + 0.5)).addTo(shown);
        if (fitting) L.tooltip({ permanent: true, direction: "center", className: "zone-name" }).setLatLng(at).setContent(ntl.textNode("span", fitting)).addTo(shown);
      }
    }
    if (layer === "consumers") for (const hub of hubs) ntl.transformerMarker(ntl.latlng(hub.geometry)).bindTooltip(ntl.textNode("span", hub.properties.code)).addTo(shown);
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

  // The list beside the map says the same as the map, for the keyboard and for readers of screens.
  function tell(layer) {
    title.textContent = words[layer];
    const counts = (one) => `${one.properties.fitting} ${words.of} ${one.properties.consumers}`;
    const score = ({ properties }) => properties.score ?? -1;
    const sorted = [...features].sort((a, b) => (layer === "consumers" ? score(b) - score(a) : b.properties.fitting - a.properties.fitting));
    list.replaceChildren(...sorted.slice(0, 200).map((one) => {
      const item = document.createElement("li");
      let target;
      if (layer === "consumers") {
        target = ntl.textNode("a", "", { href: linkTo(one.properties.number) });
        target.append(ntl.textNode("span", `${one.properties.number} ${one.properties.name}`, { class: "cut" }), ntl.textNode("span", `${words[one.properties.level]}${one.properties.score === null ? "" : ` ${one.properties.score.toFixed(2)}`}`, { class: "num" }));
        target.addEventListener("focus", () => one.marker.openPopup());
        target.addEventListener("mouseenter", () => one.marker.openPopup());
      } else {
        target = ntl.textNode("button", "", { type: "button" });
        target.append(ntl.textNode("span", one.properties.name || one.properties.code), ntl.textNode("span", counts(one), { class: "num dim" }));
        target.addEventListener("click", () => (layer === "zones" ? map.fitBounds(L.geoJSON(one).getBounds()) : map.setView(ntl.latlng(one.geometry), CONSUMERS_FROM + 0.5)));
      }
      item.append(target);
      return item;
    }));
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
