// The consumer among its neighbours, with the transformer, the feeder and the zone that we know ourselves.
(() => {
  const element = document.getElementById("place");
  if (!element || !window.L) return;
  const place = JSON.parse(document.getElementById("place-data").textContent);
  const at = ntl.latlng(place.consumer.at);
  const map = ntl.newMap(element, { scrollWheelZoom: false }).setView(at, 17);
  const layers = L.layerGroup().addTo(map);

  function draw() {
    layers.clearLayers();
    if (place.zone) L.geoJSON(place.zone, { style: { color: ntl.colour("dim"), weight: 1, dashArray: "4 4", fillOpacity: 0.03 } }).addTo(layers);
    if (place.feeder) L.geoJSON(place.feeder, { style: { color: ntl.colour("accent", 0.7), weight: 2 } }).addTo(layers);
    const hub = place.transformer && place.transformer.at && ntl.latlng(place.transformer.at);
    for (const neighbour of place.neighbours) {
      const where = ntl.latlng(neighbour.at);
      if (hub) L.polyline([hub, where], { color: ntl.colour("dim", 0.25), weight: 1, interactive: false }).addTo(layers);
      ntl.levelMarker(where, neighbour.level).bindTooltip(ntl.textNode("span", neighbour.name))
        .on("click", () => { location.href = neighbour.url; }).addTo(layers);
    }
    if (hub) {
      L.polyline([hub, at], { color: ntl.colour("accent"), weight: 1.5, interactive: false }).addTo(layers);
      ntl.transformerMarker(hub).bindTooltip(ntl.textNode("span", place.transformer.name), { permanent: true, direction: "top", offset: [0, -4] }).addTo(layers);
    }
    L.circleMarker(at, { radius: 11, weight: 2, color: ntl.colour("accent"), fill: false, interactive: false }).addTo(layers);
    L.circleMarker(at, { radius: 4, weight: 0, fillColor: ntl.colour("accent"), fillOpacity: 1 }).bindTooltip(ntl.textNode("span", place.consumer.name)).addTo(layers);
  }
  draw();
  const near = [at, ...place.neighbours.map((one) => ntl.latlng(one.at))];
  if (place.transformer && place.transformer.at) near.push(ntl.latlng(place.transformer.at));
  if (near.length > 1) map.fitBounds(L.latLngBounds(near), { padding: [24, 24], maxZoom: 18 });
  document.addEventListener("theme:changed", draw);
})();
